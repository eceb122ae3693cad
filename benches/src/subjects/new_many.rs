//! `regex-automata`'s `meta::Regex::new_many`: every path as a pattern, in the order of precedence, anchored at its start. What
//! it answers is the lowest number that matches, which is the first in that order.

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use super::host_map::HostMap;
use super::{Mode, Subject};
use crate::shapes::{Path, Workload};

/// See the module.
#[derive(Debug)]
pub struct NewMany<'w> {
    workload: &'w Workload,
    hosts: HostMap<(Regex, Vec<u32>)>,
}

impl<'w> NewMany<'w> {
    /// Compiles one expression a host.
    ///
    /// # Panics
    ///
    /// If the patterns are too many for `regex-automata`.
    pub fn new(workload: &'w Workload) -> NewMany<'w> {
        let mut hosts: HostMap<Vec<u32>> = HostMap::default();
        for number in workload.by_precedence() {
            hosts.of(&workload.rules[number as usize].host).push(number);
        }
        let compile = |numbers: Vec<u32>| {
            let patterns: Vec<String> = numbers
                .iter()
                .map(|&number| pattern(&workload.rules[number as usize].path))
                .collect();
            let config = Regex::config()
                .nfa_size_limit(None)
                .hybrid_cache_capacity(64 << 20);
            let regex = Regex::builder().configure(config).build_many(&patterns);
            (regex.expect("generated patterns compile"), numbers)
        };
        NewMany {
            workload,
            hosts: hosts.map(compile),
        }
    }
}

impl Subject for NewMany<'_> {
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32> {
        let request = &mode.requests(self.workload)[number];
        self.hosts.first(&request.host, |(regex, numbers)| {
            let input = Input::new(&request.path).anchored(Anchored::Yes);
            let found = regex.search_half(&input)?;
            numbers.get(found.pattern().as_usize()).copied()
        })
    }
}

fn pattern(path: &Path) -> String {
    // None of the shapes' literal paths has a character that means something in an expression, but the dot.
    match path {
        Path::Exact(path) => format!("{}$", path.replace('.', "\\.")),
        Path::Prefix(prefix) => format!(
            "{}(?:/|$)",
            prefix.trim_end_matches('/').replace('.', "\\.")
        ),
        Path::Pattern(pattern) => format!("(?:{pattern})$"),
    }
}
