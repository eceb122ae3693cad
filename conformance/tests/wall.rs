//! The reference model shares nothing with what it judges but the wire types.

use std::fs;
use std::path::Path;

#[test]
fn the_model_knows_wire_types_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model");
    let (mut wrong, mut lines) = (Vec::new(), 0);
    for entry in fs::read_dir(&folder).expect("the model") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("readable");
        lines += text.lines().filter(|line| says_something(line)).count();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (at, _) in code.match_indices("gatepost::") {
                let module: String = code[at + 10..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if !["api", "key", "timestamp"].contains(&module.as_str()) {
                    wrong.push(format!(
                        "{}:{}: gatepost::{module}",
                        path.display(),
                        number + 1
                    ));
                }
            }
            for (at, _) in code.match_indices("crate::") {
                let module: String = code[at + 7..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if !["request", "model"].contains(&module.as_str()) {
                    wrong.push(format!(
                        "{}:{}: crate::{module}",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    println!("{lines} lines");
    assert!(lines > 300 && lines <= 1_200, "the model has {lines} lines");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Neither empty, nor a comment, nor brackets alone.
fn says_something(line: &str) -> bool {
    let line = line.trim();
    !line.starts_with("//") && line.chars().any(char::is_alphanumeric)
}
