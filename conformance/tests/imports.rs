//! Nothing imports upward: crates by `cargo metadata`, modules of core by the `crate::` paths they name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate may depend on. Tests, benches and fuzz targets may use more; they are not dependencies of the crate.
const CRATES: &[(&str, &[&str])] = &[
    ("gatepost", &[]),
    ("gatepost-proxy", &["gatepost"]),
    ("gatepost-cli", &["gatepost", "gatepost-proxy"]),
    ("gatepost-ffi", &["gatepost", "gatepost-proxy"]),
    (
        "gatepost-python",
        &["gatepost", "gatepost-proxy", "gatepost-cli"],
    ),
    ("gatepost-conformance", &["gatepost"]),
    ("gatepost-benches", &["gatepost", "gatepost-conformance"]),
    (
        "gatepost-fuzz",
        &["gatepost", "gatepost-conformance", "gatepost-ffi"],
    ),
];

/// Modules that know nothing of the rest.
const LEAVES: &[&str] = &[
    "base64",
    "bytes",
    "key",
    "hostname",
    "timestamp",
    "duration",
    "pattern",
    "target",
    "problem",
];

/// What each module of core may name besides itself and the leaves.
const MODULES: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("document", &["api", "resources", "manifest", "validate"]),
    ("resources", &["api", "document", "manifest", "validate"]),
    ("manifest", &["api", "document", "resources", "validate"]),
    ("validate", &["api", "document", "resources", "manifest"]),
    ("rule", &[]),
    ("table", &["rule"]),
    ("resolve", &["resources", "validate", "api", "rule"]),
    ("status", &["resolve", "resources", "api"]),
    (
        "controller",
        &[
            "api",
            "document",
            "resources",
            "manifest",
            "validate",
            "rule",
            "table",
            "resolve",
            "status",
        ],
    ),
    ("analysis", &["table", "rule", "controller"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
        .to_path_buf()
}

#[test]
fn crates_depend_downward_only() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let allowed: BTreeMap<&str, &[&str]> = CRATES.iter().copied().collect();
    assert!(ours.contains("gatepost"), "core is not in the workspace");
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("name");
        let Some(allowed) = allowed.get(name) else {
            wrong.push(format!("crate `{name}` has no row in {}", file!()));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("name");
            // A dependency of kind null is a normal one; tests may reach further.
            if dependency["kind"].is_null() && ours.contains(to) && !allowed.contains(&to) {
                wrong.push(format!("crate `{name}` may not depend on `{to}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn modules_of_core_name_downward_only() {
    let source = root().join("core/src");
    let allowed: BTreeMap<&str, &[&str]> = MODULES.iter().copied().collect();
    let mut files = Vec::new();
    collect(&source, &mut files);
    assert!(files.len() > 10, "only {} files found", files.len());
    let known: BTreeSet<String> = files.iter().map(|file| module(&source, file)).collect();
    let mut wrong = Vec::new();
    for file in &files {
        let from = module(&source, file);
        if from == "lib" || file.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let text = fs::read_to_string(file).expect("readable source");
        for to in crate_paths(code(&text)) {
            // Paths such as `crate::Problem` name re-exports of lib.rs; those are for users, not for modules.
            let fine = to == from
                || LEAVES.contains(&to.as_str())
                || allowed
                    .get(from.as_str())
                    .is_some_and(|list| list.contains(&to.as_str()));
            if !fine {
                let hint = if known.contains(&to) {
                    ""
                } else {
                    " (name the module, not its re-export)"
                };
                wrong.push(format!(
                    "{}: module `{from}` may not use `crate::{to}`{hint}",
                    file.strip_prefix(&source).unwrap_or(file).display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("readable folder")
        .map(|entry| entry.expect("readable entry").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The top-level module that a file belongs to.
fn module(source: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(source).expect("file lies in the source");
    let first = relative.components().next().expect("a first component");
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

/// The source without comments and without unit tests: a test module in a file of its own is left out, one that is written
/// out ends the file.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            match lines.next() {
                Some(module) if module.trim_end().ends_with(';') => continue,
                _ => break,
            }
        }
        code.push_str(line.split("//").next().unwrap_or(line));
        code.push('\n');
    }
    code
}

/// The first segment after each `crate::`, those of `use crate::{a, b::c}` included.
fn crate_paths(code: String) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find("crate::") {
        rest = &rest[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (position, character) in group.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && !c.is_whitespace() => {
                        found.insert(identifier(&group[position..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.insert(identifier(rest));
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn the_scanner_sees_groups_and_paths() {
    let code = code(
        "use crate::{api::X, rule::{A, B}};\nlet y = crate::table::Z; // crate::status\n#[cfg(test)]\nuse crate::manifest;\n",
    );
    let found: Vec<String> = crate_paths(code).into_iter().collect();
    assert_eq!(found, ["api", "rule", "table"]);
    let found = crate_paths(self::code(
        "#[cfg(test)]\nmod tests;\nuse crate::rule::A;\n#[cfg(test)]\nmod tests {\nuse crate::api;\n}\n",
    ));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["rule"]);
}
