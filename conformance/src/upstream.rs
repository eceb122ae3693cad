//! The Go modules of Gateway API 1.7: CRDs, examples and the suite.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use gatepost::document::{self, Document, Limits};
use gatepost::key::Channel;
use serde_json::Value;

/// The folder of the module, downloaded by `scripts/gateway-api` if it is not there.
///
/// # Errors
///
/// If it can neither be found nor downloaded; the text says why.
pub fn module() -> Result<PathBuf, String> {
    folder(&[])
}

/// The names of the tests of the suite, a module of its own.
///
/// # Errors
///
/// If the module can neither be found nor downloaded, or not be read.
pub fn suite() -> Result<BTreeSet<String>, String> {
    let tests = folder(&["conformance"])?.join("tests");
    let mut names = BTreeSet::new();
    for file in below(&tests, "go")? {
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        for line in text.lines() {
            let name = line.trim().strip_prefix("ShortName:");
            let quoted = name.and_then(|name| name.split('"').nth(1));
            names.extend(quoted.map(str::to_owned));
        }
    }
    Ok(names)
}

fn folder(module: &[&str]) -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/gateway-api");
    let output = Command::new(&script)
        .args(module)
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(PathBuf::from(folder))
}

/// A version of a kind, as a CRD has it.
#[derive(Clone, Debug)]
pub struct Crd {
    /// The group of the kind.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The version.
    pub version: String,
    /// What stands in a URL for the kind, such as `httproutes`.
    pub plural: String,
    /// Whether objects lie in a namespace.
    pub namespaced: bool,
    /// `openAPIV3Schema`.
    pub schema: Value,
}

/// The served versions of all CRDs of a channel.
///
/// # Errors
///
/// If a file cannot be read; the text says which.
pub fn crds(module: &Path, channel: Channel) -> Result<Vec<Crd>, String> {
    let folder = match channel {
        Channel::Standard => "config/crd/standard",
        Channel::Experimental => "config/crd/experimental",
    };
    let mut crds = Vec::new();
    for file in files(&module.join(folder))? {
        for document in read(&file)? {
            let crd = document.to_json();
            if crd["kind"] != "CustomResourceDefinition" {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            for version in crd["spec"]["versions"].as_array().into_iter().flatten() {
                if version["served"] == true {
                    crds.push(Crd {
                        group: text(&crd["spec"]["group"]),
                        kind: text(&crd["spec"]["names"]["kind"]),
                        version: text(&version["name"]),
                        plural: text(&crd["spec"]["names"]["plural"]),
                        namespaced: crd["spec"]["scope"] == "Namespaced",
                        schema: version["schema"]["openAPIV3Schema"].clone(),
                    });
                }
            }
        }
    }
    Ok(crds)
}

/// All YAML files below a folder, by name.
///
/// # Errors
///
/// If a folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    below(folder, "yaml")
}

fn below(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let named = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(named)? {
        let path = entry.map_err(named)?.path();
        if path.is_dir() {
            found.extend(below(&path, ending)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The documents of a file.
///
/// # Errors
///
/// If the file cannot be read, or is not YAML within the usual limits.
pub fn read(file: &Path) -> Result<Vec<Document>, String> {
    let text = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let source: Arc<str> = file.display().to_string().into();
    document::read(&source, &text, &Limits::default())
        .map_err(|refused| format!("{source}: {refused:?}"))
}
