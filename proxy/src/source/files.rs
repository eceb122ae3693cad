//! Files and folders, read again when they change.
//!
//! A file that cannot be read keeps its last good content, an object that is refused its last good version.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest::{Loaded, collect, read};
use gatepost::problem::{Level, Problem};
use gatepost::resources::Resources;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Files and folders as a source.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    channel: Channel,
    limits: Limits,
    files: BTreeMap<PathBuf, File>,
    good: Resources,
}

/// A file with the content that counts.
#[derive(Debug)]
struct File {
    bytes: Vec<u8>,
    loaded: Loaded,
    /// Why its present content does not count.
    problems: Vec<Problem>,
}

/// What a reading came to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reading {
    /// The resources that count.
    pub resources: Resources,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    /// Whether a file could not be read and had no good content before.
    pub unreadable: bool,
}

impl Files {
    /// A source of these files and folders.
    pub fn new(paths: Vec<PathBuf>, channel: Channel) -> Files {
        Files {
            paths,
            channel,
            limits: Limits::default(),
            files: BTreeMap::new(),
            good: Resources::default(),
        }
    }

    /// Reads what changed and judges everything together.
    pub fn read(&mut self) -> Reading {
        let mut problems = Vec::new();
        let mut present = BTreeSet::new();
        let mut unreadable = false;
        for path in self.paths.clone() {
            match manifests(&path) {
                Ok(found) => {
                    for path in found {
                        unreadable |= self.load(&path, &mut problems);
                        present.insert(path);
                    }
                }
                Err(error) => {
                    problems.push(cannot_read(&path, &error));
                    // What lay there keeps serving.
                    let kept: Vec<PathBuf> = self
                        .files
                        .keys()
                        .filter(|file| file.starts_with(&path))
                        .cloned()
                        .collect();
                    unreadable |= kept.is_empty();
                    present.extend(kept);
                }
            }
        }
        self.files.retain(|path, _| present.contains(path));
        let loads: Vec<Loaded> = self
            .files
            .values()
            .map(|file| file.loaded.clone())
            .collect();
        problems.extend(self.files.values().flat_map(|file| file.problems.clone()));
        let collected = collect(loads, self.channel, &self.limits);
        let mut resources = collected.resources;
        for key in &collected.refused {
            if let Some(last) = self.good.get(key) {
                resources.insert(last.clone());
            }
        }
        problems.extend(collected.problems);
        self.good = resources.clone();
        Reading {
            resources,
            problems,
            unreadable,
        }
    }

    /// Takes a file up, unless it is what it was; whether it has no content that counts.
    fn load(&mut self, path: &Path, problems: &mut Vec<Problem>) -> bool {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                problems.push(cannot_read(path, &error));
                return !self.files.contains_key(path);
            }
        };
        if self.files.get(path).is_some_and(|file| file.bytes == bytes) {
            return false;
        }
        let loaded = read(&path.display().to_string(), &bytes, &self.limits);
        let bad = !loaded.problems.is_empty();
        match self.files.get_mut(path) {
            Some(file) if bad => {
                file.bytes = bytes;
                file.problems = loaded.problems;
                false
            }
            _ => {
                let first_bad = bad;
                let mut loaded = loaded;
                let problems = std::mem::take(&mut loaded.problems);
                self.files.insert(
                    path.to_path_buf(),
                    File {
                        bytes,
                        loaded,
                        problems,
                    },
                );
                first_bad
            }
        }
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> Problem {
    Problem {
        level: Level::Error,
        source: Arc::from(path.display().to_string()),
        place: None,
        object: None,
        field: None,
        message: format!("cannot be read: {error}"),
    }
}

/// The manifests at a path, ordered: the file itself, or all `.yaml`, `.yml` and `.json` files below a folder.
///
/// Entries that begin with a dot are passed over, as ConfigMap volumes keep their versions in such folders.
///
/// # Errors
///
/// If the path is not there or cannot be listed.
pub fn manifests(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            // A link that leads nowhere is no manifest.
            let Some(metadata) = (!hidden).then(|| fs::metadata(entry.path()).ok()).flatten()
            else {
                continue;
            };
            let path = entry.path();
            let named = path.extension().is_some_and(|extension| {
                ["yaml", "yml", "json"]
                    .iter()
                    .any(|known| extension == *known)
            });
            if metadata.is_dir() {
                folders.push(path);
            } else if named {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Tells when something may have changed: at once where the system says so, and every two seconds all the same.
///
/// Dropping the receiver ends the watch.
pub fn watch(paths: &[PathBuf]) -> mpsc::Receiver<()> {
    let (news, receiver) = mpsc::channel(1);
    let notifier = news.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A full channel has the news already.
            let _ = notifier.try_send(());
        }
    });
    let mut watcher: Option<RecommendedWatcher> = watcher
        .map_err(|error| tracing::warn!(%error, "files cannot be watched"))
        .ok();
    for path in paths {
        // Editors replace files, so the folder around a file is watched, but not what lies below that.
        let (folder, mode) = if path.is_dir() {
            (Some(path.as_path()), RecursiveMode::Recursive)
        } else {
            (path.parent(), RecursiveMode::NonRecursive)
        };
        let folder = folder
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or_else(|| Path::new("."));
        if let Some(watcher) = &mut watcher
            && let Err(error) = watcher.watch(folder, mode)
        {
            tracing::warn!(path = %folder.display(), %error, "cannot be watched; it is looked at every two seconds");
        }
    }
    tokio::spawn(async move {
        let _watcher = watcher;
        let mut interval = tokio::time::interval(Duration::from_secs(2));
        while !news.is_closed() {
            interval.tick().await;
            let _ = news.try_send(());
        }
    });
    receiver
}
