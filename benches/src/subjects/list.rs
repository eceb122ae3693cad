//! The plain way: a map by host, then a list a host, sorted by precedence and walked from the top.

use std::cmp::Reverse;
use std::collections::HashMap;

use http::HeaderName;
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use super::{Mode, Subject};
use crate::shapes::{Path, Request, ShapeRule, Workload};

/// See the module.
#[derive(Debug)]
pub struct List<'w> {
    workload: &'w Workload,
    exact: HashMap<String, Vec<Entry>>,
    wildcard: HashMap<String, Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    path: EntryPath,
    headers: Vec<(HeaderName, String)>,
    query: Vec<(String, String)>,
    number: u32,
}

#[derive(Debug)]
enum EntryPath {
    Exact(String),
    Prefix(String),
    Pattern(Box<Regex>, usize),
}

impl<'w> List<'w> {
    /// Sorts the rules of each host once.
    pub fn new(workload: &'w Workload) -> List<'w> {
        let mut list = List {
            workload,
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        };
        for (number, rule) in workload.rules.iter().enumerate() {
            let entry = Entry::new(rule, number);
            match rule.host.strip_prefix("*.") {
                Some(suffix) => list.wildcard.entry(suffix.to_owned()).or_default(),
                None => list.exact.entry(rule.host.clone()).or_default(),
            }
            .push(entry);
        }
        for entries in list.exact.values_mut().chain(list.wildcard.values_mut()) {
            entries.sort_by_key(|entry| Reverse(entry.rank()));
            entries.shrink_to_fit();
        }
        list
    }

    fn search(&self, request: &Request) -> Option<u32> {
        if let Some(found) = self
            .exact
            .get(&request.host)
            .and_then(|e| first(e, request))
        {
            return Some(found);
        }
        let mut rest = request.host.as_str();
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(found) = self.wildcard.get(suffix).and_then(|e| first(e, request)) {
                return Some(found);
            }
            rest = suffix;
        }
        None
    }
}

impl Subject for List<'_> {
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32> {
        self.search(&mode.requests(self.workload)[number])
    }
}

impl Entry {
    fn new(rule: &ShapeRule, number: usize) -> Entry {
        let path = match &rule.path {
            Path::Exact(path) => EntryPath::Exact(path.clone()),
            Path::Prefix(prefix) => EntryPath::Prefix(prefix.trim_end_matches('/').to_owned()),
            Path::Pattern(pattern) => EntryPath::Pattern(
                Box::new(Regex::new(pattern).expect("generated patterns compile")),
                pattern.len(),
            ),
        };
        Entry {
            path,
            headers: rule.headers.clone(),
            query: rule.query.clone(),
            number: u32::try_from(number).unwrap_or(u32::MAX),
        }
    }

    /// Later rules of equal rank stand later, so the number counts downward.
    fn rank(&self) -> (u8, usize, usize, usize, Reverse<u32>) {
        let (kind, length) = match &self.path {
            EntryPath::Exact(path) => (2, path.len()),
            EntryPath::Pattern(_, length) => (1, *length),
            EntryPath::Prefix(prefix) => (0, prefix.len()),
        };
        let (headers, query) = (self.headers.len(), self.query.len());
        (kind, length, headers, query, Reverse(self.number))
    }

    fn matches(&self, request: &Request) -> bool {
        let path = match &self.path {
            EntryPath::Exact(path) => *path == request.path,
            EntryPath::Prefix(prefix) => request
                .path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            EntryPath::Pattern(regex, _) => {
                let input = Input::new(&request.path).anchored(Anchored::Yes);
                regex
                    .find(input)
                    .is_some_and(|found| found.end() == request.path.len())
            }
        };
        path && self.headers.iter().all(|(name, value)| {
            request
                .headers
                .get(name)
                .is_some_and(|field| field.as_bytes() == value.as_bytes())
        }) && self.query.iter().all(|(name, value)| {
            request
                .query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| key == name)
                .is_some_and(|(_, given)| given == value)
        })
    }
}

fn first(entries: &[Entry], request: &Request) -> Option<u32> {
    let entry = entries.iter().find(|entry| entry.matches(request))?;
    Some(entry.number)
}
