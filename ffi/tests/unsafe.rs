//! `unsafe` stands in one file, every block with its reason; every exported function is guarded against panics.

use std::fs;
use std::path::Path;

fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("a file").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        (
            name.to_owned(),
            fs::read_to_string(&path).expect("a source is text"),
        )
    };
    let files = fs::read_dir(folder)
        .expect("the sources are there")
        .map(read);
    files.collect()
}

/// The attribute that exports a symbol is spelled with the word, too; it is not what is looked for.
const EXPORT: &str = "#[unsafe(no_mangle)]";

#[test]
fn unsafe_stands_in_one_file() {
    for (name, text) in sources() {
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let found: Vec<&str> = code
            .filter(|line| line.contains("unsafe") && line.trim() != EXPORT)
            .collect();
        assert!(
            name == "pointers.rs" || found.is_empty(),
            "{name}: {found:?}"
        );
        assert!(
            name != "pointers.rs" || found.len() > 10,
            "{name} is not looked at"
        );
    }
}

#[test]
fn every_exported_function_is_guarded() {
    // They only read a number or a pointer of an object, or a table of constants.
    let plain = [
        "gatepost_abi",
        "gatepost_version_number",
        "gatepost_version",
        "gatepost_code_name",
        "gatepost_code_status",
        "gatepost_text_get",
        "gatepost_resources_len",
        "gatepost_table_retain",
        "gatepost_table_generation",
        "gatepost_table_attached",
    ];
    let guards = ["guard::or(", "telling(", "answering(", "pick("];
    let mut count = 0;
    for (name, text) in sources() {
        for part in text.split("pub extern \"C\" fn ").skip(1) {
            count += 1;
            let function = part.split('(').next().unwrap_or_default();
            let body = part.split("\n}\n").next().unwrap_or_default();
            let guarded = guards.iter().any(|guard| body.contains(guard));
            assert!(guarded != plain.contains(&function), "{name}: {function}");
        }
    }
    assert!(count > 40, "only {count} functions were found");
}
