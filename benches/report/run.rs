//! What was measured, as `scripts/performance` keeps it: a line that says how, then what the programs printed.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// One part of the measurements.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) how: How,
    pub(crate) text: String,
}

/// How it came about.
#[derive(Debug, Deserialize)]
pub(crate) struct How {
    pub(crate) commit: String,
    pub(crate) compiler: String,
    pub(crate) processor: String,
    pub(crate) cores: u32,
    /// What repeats it.
    pub(crate) command: String,
}

/// The JSON lines of a part.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) requests: Vec<Request>,
    pub(crate) changes: Vec<Change>,
    pub(crate) held: Vec<Held>,
}

impl Measured {
    /// Nanoseconds of a look-up.
    pub(crate) fn find(&self, subject: &str, shape: &str, rules: u32, mode: &str) -> Option<f64> {
        let fits = |line: &&Matcher| {
            line.subject == subject
                && line.shape == shape
                && line.rules == rules
                && line.mode == mode
        };
        let line = self.matchers.iter().find(fits);
        line.map(|line| line.nanoseconds)
    }

    /// Nanoseconds of what a request costs besides, by the first subject that begins so.
    pub(crate) fn request(&self, part: &str, case: &str, subject: &str) -> Option<f64> {
        let fits = |line: &&Request| {
            line.part == part && line.case == case && line.subject.starts_with(subject)
        };
        let line = self.requests.iter().find(fits);
        line.map(|line| line.nanoseconds)
    }
}

/// One of them: the fields say which.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Matcher(Matcher),
    Request(Request),
    Change(Change),
    Held(Held),
}

impl Run {
    /// Reads a part; `None` if it was never measured.
    pub(crate) fn read(path: &Path) -> Result<Option<Run>, String> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let (how, text) = text.split_once('\n').unwrap_or((&text, ""));
        let how = serde_json::from_str(how)
            .map_err(|error| format!("{}: line 1: {error}", path.display()))?;
        let text = text.trim_end().to_owned();
        Ok(Some(Run { how, text }))
    }

    /// The lines, by what they are of.
    pub(crate) fn measured(&self) -> Result<Measured, String> {
        let mut measured = Measured::default();
        for (number, line) in self.text.lines().enumerate() {
            let line = serde_json::from_str(line)
                .map_err(|error| format!("line {}: {error}: `{line}`", number + 2))?;
            match line {
                Line::Matcher(one) => measured.matchers.push(one),
                Line::Request(one) => measured.requests.push(one),
                Line::Change(one) => measured.changes.push(one),
                Line::Held(one) => measured.held.push(one),
            }
        }
        Ok(measured)
    }

    /// What it was measured on, and what repeats it.
    pub(crate) fn origin(&self) -> String {
        let How {
            commit,
            compiler,
            processor,
            cores,
            command,
        } = &self.how;
        format!("Commit {commit}, {compiler}, {processor}, {cores} cores. Again: `{command}`.\n")
    }
}

/// One matcher in one mode (`matchers --json`).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Matcher {
    pub(crate) subject: String,
    pub(crate) shape: String,
    pub(crate) rules: u32,
    pub(crate) mode: String,
    pub(crate) nanoseconds: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    pub(crate) p90: f64,
    pub(crate) allocations: f64,
    pub(crate) heap_bytes_per_rule: f64,
    pub(crate) build_ms: f64,
    pub(crate) wrong: u64,
}

/// One subject of `requests --json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) part: String,
    pub(crate) case: String,
    pub(crate) subject: String,
    pub(crate) nanoseconds: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    pub(crate) allocations: f64,
    pub(crate) share_error: Option<f64>,
}

/// One table of `changes --json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Change {
    pub(crate) shape: String,
    pub(crate) rules: u32,
    pub(crate) build_ms: f64,
    pub(crate) microseconds: f64,
    pub(crate) lowest: f64,
    pub(crate) p90: f64,
    pub(crate) highest: f64,
}

/// One table of `memory --tables`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Held {
    pub(crate) shape: String,
    pub(crate) rules: u32,
    pub(crate) index_bytes: f64,
    pub(crate) whole_bytes: f64,
}
