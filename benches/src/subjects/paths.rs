//! Routers that know paths only, each behind a [`HostMap`]: `matchit`, `wayfind`, `path-tree`, `actix-router`.
//!
//! They are measured where paths decide. In the place of a pattern they get parameters, so there they do less than is asked.
//! Where a router has no pattern for a prefix by path elements, a prefix costs three inserts: itself, itself with a slash, and
//! a catch-all below it.

use super::host_map::HostMap;
use super::{Mode, Subject};
use crate::shapes::{Path, Workload};

/// One router of paths.
pub trait PathRouter {
    /// Makes a router of paths with their numbers, in the order of precedence.
    fn new(paths: Vec<(&Path, u32)>) -> Self;
    /// The number of the path that matches.
    fn at(&self, path: &str) -> Option<u32>;
}

/// A router of paths behind a map by host.
#[derive(Debug)]
pub struct ByHost<'w, R> {
    workload: &'w Workload,
    hosts: HostMap<R>,
}

impl<'w, R: PathRouter> ByHost<'w, R> {
    /// Builds one router a host.
    pub fn new(workload: &'w Workload) -> ByHost<'w, R> {
        let mut hosts: HostMap<Vec<(&Path, u32)>> = HostMap::default();
        for number in workload.by_precedence() {
            let rule = &workload.rules[number as usize];
            hosts.of(&rule.host).push((&rule.path, number));
        }
        ByHost {
            workload,
            hosts: hosts.map(R::new),
        }
    }
}

impl<R: PathRouter> Subject for ByHost<'_, R> {
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32> {
        let request = &mode.requests(self.workload)[number];
        self.hosts
            .first(&request.host, |router| router.at(&request.path))
    }
}

/// `matchit`: a compressed radix tree.
#[derive(Debug)]
pub struct Matchit(matchit::Router<u32>);

impl PathRouter for Matchit {
    fn new(paths: Vec<(&Path, u32)>) -> Matchit {
        let mut router = matchit::Router::new();
        for (path, number) in paths {
            for pattern in patterns(path, ["{", "}"], "{*rest}") {
                router
                    .insert(pattern, number)
                    .expect("the shape's paths are distinct");
            }
        }
        Matchit(router)
    }

    fn at(&self, path: &str) -> Option<u32> {
        self.0.at(path).ok().map(|found| *found.value)
    }
}

/// `wayfind`: a radix tree, built once and frozen.
#[expect(missing_debug_implementations, reason = "the router has none")]
pub struct Wayfind(wayfind::Router<u32>);

impl PathRouter for Wayfind {
    fn new(paths: Vec<(&Path, u32)>) -> Wayfind {
        let mut builder = wayfind::RouterBuilder::new();
        for (path, number) in paths {
            for pattern in patterns(path, ["<", ">"], "<*rest>") {
                builder
                    .insert(&pattern, number)
                    .expect("the shape's paths are distinct");
            }
        }
        Wayfind(builder.build())
    }

    fn at(&self, path: &str) -> Option<u32> {
        self.0.search(path).map(|found| *found.data())
    }
}

/// `path-tree`: a radix tree with binary search over first bytes.
#[derive(Debug)]
pub struct PathTree(path_tree::PathTree<u32>);

impl PathRouter for PathTree {
    fn new(paths: Vec<(&Path, u32)>) -> PathTree {
        let mut tree = path_tree::PathTree::new();
        for (path, number) in paths {
            match path {
                Path::Exact(path) => tree.insert(path, number),
                // Zero or more elements: one insert.
                Path::Prefix(prefix) => {
                    tree.insert(&format!("{}/*", prefix.trim_end_matches('/')), number)
                }
                Path::Pattern(pattern) => tree.insert(&parameters(pattern, [":", ""]), number),
            };
        }
        PathTree(tree)
    }

    fn at(&self, path: &str) -> Option<u32> {
        self.0.find(path).map(|(number, _)| *number)
    }
}

/// `actix-router`: a list, walked from the top.
#[expect(missing_debug_implementations, reason = "the router has none")]
pub struct Actix(actix_router::Router<u32>);

impl PathRouter for Actix {
    fn new(paths: Vec<(&Path, u32)>) -> Actix {
        let mut router = actix_router::Router::build();
        for (path, number) in paths {
            match path {
                Path::Exact(path) => router.path(path.as_str(), number),
                // A prefix here is one of path elements.
                Path::Prefix(prefix) => router.prefix(prefix.trim_end_matches('/'), number),
                Path::Pattern(pattern) => router.path(parameters(pattern, ["{", "}"]), number),
            };
        }
        Actix(router.finish())
    }

    fn at(&self, path: &str) -> Option<u32> {
        let mut resource = actix_router::Path::new(path);
        self.0.recognize(&mut resource).map(|(number, _)| *number)
    }
}

/// What stands for a path in a router that has no prefixes.
fn patterns(path: &Path, brackets: [&str; 2], rest: &str) -> Vec<String> {
    match path {
        Path::Exact(path) => vec![path.clone()],
        Path::Prefix(prefix) => {
            let base = prefix.trim_end_matches('/');
            let mut patterns = vec![format!("{base}/"), format!("{base}/{rest}")];
            if !base.is_empty() {
                patterns.push(base.to_owned());
            }
            patterns
        }
        Path::Pattern(pattern) => vec![parameters(pattern, brackets)],
    }
}

/// A pattern of the shapes with a parameter in the place of each element that is not plain text.
fn parameters(pattern: &str, [open, close]: [&str; 2]) -> String {
    // The classes of the shapes hold no slash but this one.
    let pattern = pattern.replace("[^/]+", "+");
    let element = |(at, element): (usize, &str)| {
        if element.contains('+') {
            format!("{open}p{at}{close}")
        } else {
            element.to_owned()
        }
    };
    let elements: Vec<String> = pattern.split('/').enumerate().map(element).collect();
    elements.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_parameters() {
        assert_eq!(
            parameters("/svc-000007/v[0-9]+/users/[^/]+/posts/[0-9]+", ["{", "}"]),
            "/svc-000007/{p2}/users/{p4}/posts/{p6}"
        );
    }
}
