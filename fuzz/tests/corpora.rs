//! The claims of the fuzz targets over the bytes that are kept: `corpus/NAME`, and texts of other tests.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use gatepost_fuzz::{documents, resolve, steps, table_model, target, validate};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn all_hold(folders: &[&str], holds: fn(&[u8])) {
    let files: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder)).collect();
    assert!(files.len() >= 10, "only {} files", files.len());
    let mut failed = Vec::new();
    for file in files {
        let bytes = fs::read(&file).expect("readable");
        if catch_unwind(|| holds(&bytes)).is_err() {
            failed.push(file);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn documents_hold() {
    let folders = [
        "corpus/documents",
        "../conformance/attacks/manifests",
        "../core/tests/wire",
    ];
    all_hold(&folders, documents::holds);
}

#[test]
fn validate_holds() {
    all_hold(&["corpus/validate"], validate::holds);
}

#[test]
fn resolve_holds() {
    all_hold(&["corpus/resolve"], resolve::holds);
}

#[test]
fn target_holds() {
    all_hold(&["corpus/target"], target::holds);
}

#[test]
fn table_model_holds() {
    all_hold(&["corpus/table_model"], table_model::holds);
}

#[test]
fn steps_hold() {
    all_hold(&["corpus/steps"], steps::holds);
}
