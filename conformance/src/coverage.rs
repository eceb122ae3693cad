//! What has to be held by a case or a test: the rows of the specification's digest and our own decisions.
//!
//! Rows of the digest stand in `conformance/coverage/*.toml`, decisions in `docs/semantics.md`. A case holds the rows that its
//! `source` names; what no case can say is held by tests, named in the row's `tests`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::folder::{files, text};
use crate::{case, status_case};

/// A file of rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Section of the digest and a word (`2.1/case`), or a decision (`S:host`) whose text stands in `docs/semantics.md`.
    id: String,
    /// What it says, in a line; decisions have none here.
    #[serde(default)]
    text: String,
    /// Tests that hold it, as `path/to/file.rs::name`, from the top of the repository.
    #[serde(default)]
    tests: Vec<String>,
    /// What of it only traffic can show: the suite itself holds that, and those of the tests that send some.
    #[serde(default)]
    traffic: Option<String>,
}

/// All rows with what holds them.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Coverage {
    /// The cases and tests of each row.
    pub rows: BTreeMap<String, Held>,
    /// What is wrong with the files themselves.
    pub problems: Vec<String>,
}

/// A row and what holds it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Held {
    /// What the row says.
    pub text: String,
    /// Names of cases.
    pub cases: BTreeSet<String>,
    /// Tests, as `path/to/file.rs::name`.
    pub tests: Vec<String>,
    /// What of it only traffic can show.
    pub traffic: Option<String>,
}

impl Coverage {
    /// Reads rows, decisions and cases of a checkout.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is not of its form.
    pub fn read(top: &Path) -> Result<Coverage, String> {
        let mut coverage = Coverage::default();
        let semantics = text(&top.join("docs/semantics.md"))?;
        for line in semantics.lines().filter(|line| line.starts_with("| S:")) {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let id = cells.next().unwrap_or_default().to_owned();
            let text = cells.next().unwrap_or_default().to_owned();
            coverage.add(id, text);
        }
        for path in files(&top.join("conformance/coverage"))? {
            let file: File = toml::from_str(&text(&path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            for row in file.row {
                coverage.row(top, row)?;
            }
        }
        for case in case::read_folder::<case::Case>(&top.join("conformance/cases"))? {
            coverage.case(&case.name, &case.source.0);
        }
        for case in case::read_folder::<status_case::Case>(&top.join("conformance/statuses"))? {
            coverage.case(&case.name, &case.source);
        }
        Ok(coverage)
    }

    /// Rows that neither a case nor a test holds.
    pub fn bare(&self) -> impl Iterator<Item = (&String, &Held)> {
        self.rows
            .iter()
            .filter(|(_, held)| held.cases.is_empty() && held.tests.is_empty())
    }

    fn add(&mut self, id: String, text: String) {
        let held = Held {
            text,
            ..Held::default()
        };
        if self.rows.insert(id.clone(), held).is_some() {
            self.problems.push(format!("two rows are called {id}"));
        }
    }

    fn row(&mut self, top: &Path, row: Row) -> Result<(), String> {
        if !row.id.starts_with("S:") {
            self.add(row.id.clone(), row.text.clone());
        }
        for test in &row.tests {
            let (path, name) = test.split_once("::").unwrap_or((test, ""));
            if !text(&top.join(path))?.contains(&format!("fn {name}(")) {
                self.problems
                    .push(format!("{}: there is no test {test}", row.id));
            }
        }
        match self.rows.get_mut(&row.id) {
            Some(held) => {
                held.tests.extend(row.tests);
                held.traffic = row.traffic;
            }
            None => self
                .problems
                .push(format!("{} is no decision in docs/semantics.md", row.id)),
        }
        Ok(())
    }

    fn case(&mut self, name: &str, sources: &[String]) {
        for source in sources {
            match self.rows.get_mut(source) {
                Some(held) => {
                    held.cases.insert(name.to_owned());
                }
                None => self.problems.push(format!(
                    "case {name}: {source} is neither a row of conformance/coverage nor a decision"
                )),
            }
        }
    }
}
