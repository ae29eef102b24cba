// The "allure2" view is the only one of Allure 3 whose call to an analytics host can be turned off
// (ALLURE_NO_ANALYTICS=true, set by assay.report). No history, no known issues: the gate is made elsewhere.
export default {
  name: "Acceptance report",
  plugins: {
    allure2: {
      options: { reportName: "Acceptance report", singleFile: false, reportLanguage: "en" },
    },
  },
};
