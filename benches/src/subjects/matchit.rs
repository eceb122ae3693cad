//! `matchit`, the fastest path router: a map by host in front, then one radix tree a host.
//!
//! It knows paths only, so it is measured on shapes (a) and (b) alone. A prefix costs three inserts: itself, itself with a
//! slash, and a catch-all below it.

use std::collections::HashMap;

use matchit::Router;

use super::{Mode, Subject};
use crate::shapes::{Path, Request, Workload};

/// See the module.
#[derive(Debug)]
pub struct Matchit<'w> {
    workload: &'w Workload,
    exact: HashMap<String, Router<u32>>,
    wildcard: HashMap<String, Router<u32>>,
}

impl<'w> Matchit<'w> {
    /// Builds one tree a host.
    pub fn new(workload: &'w Workload) -> Matchit<'w> {
        let mut matchit = Matchit {
            workload,
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        };
        for (number, rule) in workload.rules.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let router = match rule.host.strip_prefix("*.") {
                Some(suffix) => matchit.wildcard.entry(suffix.to_owned()).or_default(),
                None => matchit.exact.entry(rule.host.clone()).or_default(),
            };
            for pattern in patterns(&rule.path) {
                router
                    .insert(pattern, number)
                    .expect("the shape's paths are distinct");
            }
        }
        matchit
    }

    fn search(&self, request: &Request) -> Option<u32> {
        if let Some(router) = self.exact.get(&request.host)
            && let Ok(found) = router.at(&request.path)
        {
            return Some(*found.value);
        }
        let mut rest = request.host.as_str();
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(router) = self.wildcard.get(suffix)
                && let Ok(found) = router.at(&request.path)
            {
                return Some(*found.value);
            }
            rest = suffix;
        }
        None
    }
}

impl Subject for Matchit<'_> {
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32> {
        self.search(&mode.requests(self.workload)[number])
    }
}

fn patterns(path: &Path) -> Vec<String> {
    match path {
        Path::Exact(path) => vec![path.clone()],
        Path::Prefix(prefix) => {
            let base = prefix.trim_end_matches('/');
            let mut patterns = vec![format!("{base}/"), format!("{base}/{{*rest}}")];
            if !base.is_empty() {
                patterns.push(base.to_owned());
            }
            patterns
        }
        Path::Pattern(_) => unreachable!("patterns are not given to path routers"),
    }
}
