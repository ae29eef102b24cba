"""The suite comes as an installed plugin, `assay.plugin`; `pytester` is for the tests of the suite itself."""

pytest_plugins = ["pytester"]
