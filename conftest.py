"""The suite is an installed plugin, `assay.run.plugin`; `pytester` is for the tests of the suite itself."""

pytest_plugins = ["pytester"]
