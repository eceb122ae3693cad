//! Every YAML file of the repository and of the upstream module is read as the full parser reads it: values, places, errors.

use std::fs;
use std::path::Path;

use gatepost::document::{Limits, read, read_in_full};
use gatepost_conformance::upstream;

#[test]
fn files_are_read_as_the_full_parser_reads_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = fs::read_dir(root).expect("the repository");
    let mut folders: Vec<_> = folders
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir() && !path.ends_with("target") && !path.ends_with(".git"))
        .collect();
    folders.push(upstream::module().expect("the module of Gateway API"));
    let (mut files, mut documents) = (0, 0);
    for folder in folders {
        for file in upstream::files(&folder).expect("a folder") {
            let text = fs::read(&file).expect("a file");
            let source = "file".into();
            let limits = Limits::default();
            let one = read(&source, &text, &limits);
            let other = read_in_full(&source, &text, &limits);
            files += 1;
            documents += one.as_ref().map_or(0, Vec::len);
            // `Debug` shows places and keys that stand twice.
            assert!(
                format!("{one:?}") == format!("{other:?}"),
                "{} is read in two ways",
                file.display()
            );
        }
    }
    println!("{files} files, {documents} documents");
    assert!(
        files > 250 && documents > 400,
        "{files} files, {documents} documents"
    );
}
