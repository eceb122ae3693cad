//! The committed header is what the sources say, and what C sees of it is what Rust means.
//!
//! `make -C ffi header` writes it: `GATEPOST_WRITE_HEADER=1 cargo test -p gatepost-ffi --test header`.

use std::fs;
use std::path::{Path, PathBuf};

/// The sources in the order in which a program meets them.
const SOURCES: [&str; 13] = [
    "version",
    "pointers",
    "code",
    "error",
    "text",
    "resources",
    "resolution",
    "table",
    "slot",
    "request",
    "find",
    "backend",
    "steps",
];

/// The types of arguments in `src/pointers.rs`: in C they are the pointers inside.
const WRAPPERS: [&str; 9] = [
    "In_", "Out_", "Place_", "Shared_", "Lent_", "Items_", "View", "Context", "Buffer",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source(name: &str) -> PathBuf {
    root().join("src").join(format!("{name}.rs"))
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml"));
    let builder = cbindgen::Builder::new().with_config(config.expect("cbindgen.toml is sound"));
    let files = SOURCES.iter().map(|name| source(name));
    let bindings = files.fold(builder, cbindgen::Builder::with_src).generate();
    let mut text = Vec::new();
    bindings.expect("a header comes out").write(&mut text);
    unwrapped(&String::from_utf8(text).expect("the header is text"))
}

/// Writes out the pointers that the wrappers stand for, and takes the wrappers away.
fn unwrapped(header: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut wrappers: Vec<(&str, &str)> = Vec::new();
    for line in header.lines() {
        let wrapper = line.strip_prefix("typedef ").and_then(|rest| {
            let rest = rest.strip_suffix(';')?;
            let start = rest.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')? + 1;
            let (inside, name) = rest.split_at(start);
            WRAPPERS
                .iter()
                .any(|prefix| name.starts_with(prefix))
                .then_some((name, inside))
        });
        match wrapper {
            Some(wrapper) => {
                wrappers.push(wrapper);
                while kept.last().is_some_and(|line| line.starts_with("//")) {
                    kept.pop();
                }
                while kept.last().is_some_and(|line| line.is_empty()) {
                    kept.pop();
                }
            }
            None => kept.push(line),
        }
    }
    let mut text = kept.join("\n") + "\n";
    // Wrappers may stand inside others; the longest names first, so that none is found in another.
    wrappers.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for _ in 0..2 {
        for (name, inside) in &wrappers {
            let inside = inside.trim_end();
            let glue = if inside.ends_with('*') { "" } else { " " };
            text = text.replace(&format!("{name} "), &format!("{inside}{glue}"));
        }
    }
    text
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let path = root().join("include/gatepost.h");
    let generated = generated();
    if std::env::var_os("GATEPOST_WRITE_HEADER").is_some() {
        fs::write(&path, &generated).expect("include/gatepost.h can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/gatepost.h is not what the sources say: run `make -C ffi header`"
    );
}

#[test]
fn every_source_is_in_the_header() {
    let mut missing = Vec::new();
    for entry in fs::read_dir(root().join("src")).expect("the sources are there") {
        let path = entry.expect("a file").path();
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name")
            .to_owned();
        let text = fs::read_to_string(&path).expect("a source is text");
        if text.contains("extern \"C\" fn gatepost_") && !SOURCES.contains(&&*name) {
            missing.push(name);
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "SOURCES has to name them");
}
