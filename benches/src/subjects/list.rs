//! The plain ways: lists sorted by precedence and walked from the top, one a host behind a map, or one for all.

use http::HeaderName;
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use super::host_map::HostMap;
use super::{Mode, Subject};
use crate::shapes::{Path, Request, ShapeRule, Workload};

/// A map by host, then a list a host.
#[derive(Debug)]
pub struct List<'w> {
    workload: &'w Workload,
    hosts: HostMap<Vec<Entry>>,
}

impl<'w> List<'w> {
    /// Sorts the rules of each host once.
    pub fn new(workload: &'w Workload) -> List<'w> {
        let mut hosts: HostMap<Vec<Entry>> = HostMap::default();
        for number in workload.by_precedence() {
            let rule = &workload.rules[number as usize];
            hosts.of(&rule.host).push(Entry::new(rule, number));
        }
        let hosts = hosts.map(|mut entries| {
            entries.shrink_to_fit();
            entries
        });
        List { workload, hosts }
    }
}

impl Subject for List<'_> {
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32> {
        let request = &mode.requests(self.workload)[number];
        self.hosts.first(&request.host, |entries| {
            let entry = entries.iter().find(|entry| entry.matches(request))?;
            Some(entry.number)
        })
    }
}

/// One list of all rules.
#[derive(Debug)]
pub struct Sorted<'w> {
    workload: &'w Workload,
    entries: Vec<(String, Entry)>,
}

impl<'w> Sorted<'w> {
    /// Sorts all rules once: exact hosts, then wildcards, the longest first.
    pub fn new(workload: &'w Workload) -> Sorted<'w> {
        let mut entries: Vec<(String, Entry)> = workload
            .by_precedence()
            .into_iter()
            .map(|number| {
                let rule = &workload.rules[number as usize];
                (rule.host.clone(), Entry::new(rule, number))
            })
            .collect();
        entries.sort_by_key(|(host, _)| (host.starts_with('*'), usize::MAX - host.len()));
        Sorted { workload, entries }
    }
}

impl Subject for Sorted<'_> {
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32> {
        let request = &mode.requests(self.workload)[number];
        let covers = |host: &str| match host.strip_prefix('*') {
            Some(suffix) => request.host.len() > suffix.len() && request.host.ends_with(suffix),
            None => host == request.host,
        };
        let mut entries = self.entries.iter();
        let (_, entry) = entries.find(|(host, entry)| covers(host) && entry.matches(request))?;
        Some(entry.number)
    }
}

#[derive(Debug)]
struct Entry {
    path: EntryPath,
    method: Option<&'static str>,
    headers: Vec<(HeaderName, String)>,
    query: Vec<(String, String)>,
    number: u32,
}

#[derive(Debug)]
enum EntryPath {
    Exact(String),
    Prefix(String),
    Pattern(Box<Regex>),
}

impl Entry {
    fn new(rule: &ShapeRule, number: u32) -> Entry {
        let path = match &rule.path {
            Path::Exact(path) => EntryPath::Exact(path.clone()),
            Path::Prefix(prefix) => EntryPath::Prefix(prefix.trim_end_matches('/').to_owned()),
            Path::Pattern(pattern) => {
                let regex = Regex::new(pattern).expect("generated patterns compile");
                EntryPath::Pattern(Box::new(regex))
            }
        };
        Entry {
            path,
            method: rule.method,
            headers: rule.headers.clone(),
            query: rule.query.clone(),
            number,
        }
    }

    fn matches(&self, request: &Request) -> bool {
        let path = match &self.path {
            EntryPath::Exact(path) => *path == request.path,
            EntryPath::Prefix(prefix) => request
                .path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            EntryPath::Pattern(regex) => {
                let input = Input::new(&request.path).anchored(Anchored::Yes);
                regex
                    .find(input)
                    .is_some_and(|found| found.end() == request.path.len())
            }
        };
        path && self.method.is_none_or(|method| method == request.method)
            && self.headers.iter().all(|(name, value)| {
                request
                    .headers
                    .get(name)
                    .is_some_and(|field| field.as_bytes() == value.as_bytes())
            })
            && self.query.iter().all(|(name, value)| {
                request
                    .query
                    .split('&')
                    .filter_map(|pair| pair.split_once('='))
                    .find(|(key, _)| key == name)
                    .is_some_and(|(_, given)| given == value)
            })
    }
}
