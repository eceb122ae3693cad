//! What the plain reader takes it reads as the full parser does: values, places, keys that stand twice, and errors.

use proptest::prelude::*;

use super::plain::{self, Start};
use super::reader::Builder;
use super::{Limits, read, read_in_full};

/// Panics if the two readers differ about a text.
fn same(text: &str, limits: &Limits) {
    let source = "text".into();
    let one = read(&source, text.as_bytes(), limits);
    let other = read_in_full(&source, text.as_bytes(), limits);
    // `Debug` shows places and keys that stand twice as well.
    assert_eq!(format!("{one:#?}"), format!("{other:#?}"), "of {text:?}");
}

/// How much of a text is plain.
fn plain_part(text: &str) -> usize {
    let start = Start { at: 0, line: 1 };
    let limits = Limits::default();
    plain::read(text, start, &mut Builder::new(&limits), &mut Vec::new()).at
}

#[test]
fn manifests_are_plain() {
    for text in [
        "a: b",
        "# only a comment\n",
        "a:\n- b\n-  c: d\n   e: f\n-\n- - g\n  - h\nz:\n",
        "a:\r\n  - b # one\r\n  # two\r\n\r\n  -   c\r\n",
        "---\n---\na: 1\n---\n- x\n",
        "a: {b: [1, 'two', \"th\\\"ree\"], c: {}, d: []} # e\n",
        "\"a b\": 'it''s'\n'c': \"tab\\tnew\\n\"\n",
        "data:\n  key: |\n    one\n      two\n\n    three\n\n  more: |-\n    x\nend: ü\n",
        "- 80\n- \"80\"\n- 0x1f\n- ~\n- yes\n- http://a.example:80/#b\n",
        "  a:\n   b: c\n",
    ] {
        assert_eq!(plain_part(text), text.len(), "{text:?}");
        same(text, &Limits::default());
    }
}

#[test]
fn what_is_not_plain_is_left_from_its_document_on() {
    for document in [
        "a: &x b\n",
        "a: *x\n",
        "a: !!str b\n",
        "a: b\n  c\n",
        "a: >\n  b\n",
        "a: 'b\n  c'\n",
        "a: {b: c,\n d: e}\n",
        "? a\n",
        "a:\tb\n",
        "a: b: c\n",
        "a\n",
        "<<: {}\n",
        "1: b\n",
        "%YAML 1.2\n",
        "a: b\n...\n",
        "a: |+\n  b\n",
        "a: \"\\x41\"\n",
        "a: [b: c]\n",
        "a: \u{feff}\n",
        "- a\nb: c\n",
        "a: b\n c: d\n",
        "  a: b\nc: d\n",
    ] {
        let text = format!("---\na: b\n---\n{document}---\nc: d\n");
        assert_eq!(plain_part(&text), 9, "{document:?}");
        same(&text, &Limits::default());
        same(document, &Limits::default());
    }
}

#[test]
fn floats_of_json_and_yaml_are_the_nearest_there_are() {
    let digits = "80888888888888888888888888888888888888888888888";
    let number = |text: &str| {
        let documents = read(&"text".into(), text.as_bytes(), &Limits::default()).expect(text);
        documents[0].to_json()["a"].as_f64().expect("a number")
    };
    let nearest: f64 = digits.parse().expect("a number");
    for text in [format!("a: {digits}"), format!("{{\"a\": {digits}}}")] {
        assert_eq!(number(&text).to_bits(), nearest.to_bits(), "{text}");
    }
}

#[test]
fn an_anchor_of_an_earlier_document_is_unknown() {
    let text = "a: &x b\n---\na: *x\n";
    let refused = read(&"text".into(), text.as_bytes(), &Limits::default()).expect_err("no anchor");
    assert_eq!(
        refused.place.map(|place| place.to_string()).as_deref(),
        Some("3:4")
    );
    same(text, &Limits::default());
}

#[test]
fn a_list_begins_at_its_first_dash() {
    for anchor in ["", "&x "] {
        for (list, place) in [
            ("   -   a", "4:4"),
            ("   -\n     a: b", "4:4"),
            ("   - # c\n     a: b", "4:4"),
            ("     - a", "4:6"),
            ("    [a]", "4:5"),
            ("\n   - - a", "5:4"),
        ] {
            for end in ["\n", "\r\n"] {
                let text = format!("---\nspec:\n   list:\n{list}\n   b: {anchor}c\n");
                let text = text.replace('\n', end);
                let documents = read(&"text".into(), text.as_bytes(), &Limits::default());
                let documents = documents.expect("it is YAML");
                let list = documents[0]
                    .root()
                    .get("spec")
                    .and_then(|spec| spec.get("list"));
                let found = list.expect("a list").place().to_string();
                assert_eq!(found, place, "{text:?}");
                same(&text, &Limits::default());
            }
        }
    }
}

/// What lines are made of, plain and not.
const FRAGMENTS: &[&str] = &[
    "a: b",
    "a:",
    "b:",
    "a: ",
    "c:  d  ",
    "- a",
    "-",
    "- ",
    "-  a",
    "- a: b",
    "- a:",
    "- b: c",
    "- - c",
    "- -",
    "-   - x: y",
    "k: 'it''s'",
    "k: \"q\\n\\\"\" # c",
    "k: \"q\\x41\"",
    "k: 'x'y",
    "k: \"x\" y",
    "k: \"x\"#y",
    "k: 'open",
    "\"q\": v",
    "'q' : v",
    "\"q\":v",
    "\"q\"",
    "- \"q\": v",
    "- 'q'",
    "- {a: b, c: [1, 2]}",
    "k: {}",
    "k: []",
    "k: [ a , b ]",
    "k: {a: b, a: c}",
    "k: [a, [b, {c: d}]] # e",
    "k: [a b]",
    "k: [a, ]",
    "k: {a}",
    "k: {a: }",
    "k: {\"a\":1}",
    "k: [a: b]",
    "k: [a",
    "b]",
    "k: {a: 'b c', \"d\": -1}",
    "k: [-]",
    "k: [-1, - 1]",
    "{a: b}",
    "[a, b]",
    "# c",
    " # c",
    "",
    "",
    "---",
    "--- # c",
    "--- a",
    "--- |",
    "---\t",
    "...",
    "... # c",
    "k: |",
    "k: |-",
    "k: |+",
    "k: |2",
    "- |",
    "k: >",
    "k: | # c",
    "k: |x",
    "text",
    "more text # c",
    "k: &a b",
    "k: &a",
    "k: *a",
    "- *a",
    "k: !!str 1",
    "<<: *a",
    "k: a: b",
    "k: a:",
    "k: a #b",
    "k: a#b",
    "k: #b",
    "k:#b",
    "k:v",
    "? a",
    ": b",
    "a :b",
    "a : b",
    "k: ?x",
    "k: ?",
    "k: :x",
    "k: -",
    "k: - a",
    "k: -a",
    "-a: b",
    "a:\tb",
    "\ta: b",
    "a: b\t",
    "é: ü",
    "- ü: é",
    "k: \u{feff}",
    "k: \u{85}",
    "k: \u{2028}x",
    "yes: no",
    "80: 90",
    "~: x",
    "k: .inf",
    "k: 0o17",
    "k: @x",
    "k: %x",
    "%YAML 1.2",
    "%TAG ! x",
    "k: ]",
    "k: }",
    "k: ,",
    "k: `",
    "k: ~",
    "k: null",
    "'a': 'b'",
    "k: \u{1}",
    "a\rb: c",
    "k: \"\"",
    "k: ''",
    "'': x",
    "k: a  b   c",
    "- a # x",
    "k: {a: b} x",
];

fn soup() -> impl Strategy<Value = String> {
    let line = (0_usize..9, proptest::sample::select(FRAGMENTS)).prop_map(|(indent, text)| {
        // Half of the lines stand in the first columns, where something fits.
        let indent = if indent > 5 { 0 } else { indent };
        format!("{}{text}", " ".repeat(indent))
    });
    let ends = proptest::sample::select(&["\n", "\n", "\r\n", "\r"][..]);
    (proptest::collection::vec(line, 1..9), ends, any::<bool>()).prop_map(|(lines, end, last)| {
        let mut text = lines.join(end);
        if last {
            text.push_str(end);
        }
        text
    })
}

/// A value, written in block or flow style.
#[derive(Clone, Debug)]
enum Tree {
    Scalar(&'static str),
    Literal(Vec<&'static str>),
    Flow(&'static str),
    Sequence(Vec<Tree>, bool),
    Mapping(Vec<(&'static str, Tree)>),
}

fn tree() -> impl Strategy<Value = Tree> {
    const SCALARS: &[&str] = &[
        "a",
        "80",
        "\"80\"",
        "'it''s'",
        "yes",
        "0x10",
        "ü",
        "a b",
        "http://a.example",
        "\"\\\"\\\\ ü\"",
        "",
        "~",
        "-1",
        "a#b",
        "# c",
        "x # ü",
        "\"y\" # z",
    ];
    const FLOWS: &[&str] = &[
        "{}",
        "[]",
        "[a, b]",
        "{a: b}",
        "{ü: [é, {b: 1}], \"c\": 'd'}  # x",
    ];
    const LINES: &[&str] = &[
        "one",
        "  two",
        "",
        "three # no comment",
        "ü: é",
        "\tx",
        "- a",
    ];
    const KEYS: &[&str] = &["a", "b", "c", "name", "\"q r\"", "'s'", "ü", "x/y", "a-b.c"];
    let leaf = prop_oneof![
        4 => proptest::sample::select(SCALARS).prop_map(Tree::Scalar),
        1 => proptest::sample::select(FLOWS).prop_map(Tree::Flow),
        1 => proptest::collection::vec(proptest::sample::select(LINES), 0..4).prop_map(Tree::Literal),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            (
                proptest::collection::vec(inner.clone(), 1..5),
                any::<bool>()
            )
                .prop_map(|(items, flush)| Tree::Sequence(items, flush)),
            proptest::collection::vec((proptest::sample::select(KEYS), inner), 1..5)
                .prop_map(Tree::Mapping),
        ]
    })
}

/// Writes what follows a key or a dash.
fn write(tree: &Tree, column: usize, after_dash: bool, out: &mut String) {
    let indent = " ".repeat(column);
    match tree {
        Tree::Scalar(text) | Tree::Flow(text) => {
            out.push_str(if text.is_empty() { "" } else { " " });
            out.push_str(text);
            out.push('\n');
        }
        Tree::Literal(lines) => {
            out.push_str(if lines.len() % 2 == 0 {
                " |\n"
            } else {
                " |-\n"
            });
            // The first line says how far in the block lies.
            for line in ["first"].iter().chain(lines) {
                out.push_str(&format!("{indent}  {line}\n"));
            }
        }
        Tree::Sequence(items, flush) => {
            let column = if *flush && !after_dash {
                column
            } else {
                column + 2
            };
            for (number, item) in items.iter().enumerate() {
                if number == 0 && after_dash {
                    out.push_str(" -");
                } else {
                    out.push_str(if number == 0 { "\n" } else { "" });
                    out.push_str(&format!("{}-", " ".repeat(column)));
                }
                write(item, column, true, out);
            }
        }
        Tree::Mapping(entries) => {
            for (number, (key, value)) in entries.iter().enumerate() {
                if number == 0 && after_dash {
                    out.push_str(&format!(" {key}:"));
                } else {
                    out.push_str(if number == 0 { "\n" } else { "" });
                    out.push_str(&format!("{indent}  {key}:"));
                }
                write(value, column + 2, false, out);
            }
        }
    }
}

/// Documents that are plain, with something in front of each.
fn documents() -> impl Strategy<Value = String> {
    let mapping = tree().prop_map(|tree| {
        let mut text = "root:".to_owned();
        write(&tree, 0, false, &mut text);
        text
    });
    proptest::collection::vec(mapping, 1..4).prop_map(|documents| documents.join("---\n# next\n"))
}

fn limits() -> impl Strategy<Value = Limits> {
    (any::<bool>(), 1_usize..8, 1_usize..60, 1_usize..9).prop_map(|(few, depth, nodes, scalar)| {
        let mut limits = Limits::default();
        if few {
            (limits.depth, limits.nodes, limits.scalar) = (depth, nodes, scalar);
        }
        limits
    })
}

proptest! {
    #[test]
    fn any_lines_are_read_alike(text in soup(), limits in limits()) {
        same(&text, &limits);
    }

    #[test]
    fn plain_documents_are_read_as_such(text in documents()) {
        prop_assert_eq!(plain_part(&text), text.len(), "{}", text);
        same(&text, &Limits::default());
    }

    #[test]
    fn documents_with_a_mistake_are_read_alike(
        text in documents(),
        at in any::<proptest::sample::Index>(),
        put in proptest::sample::select(&["", "", " ", "\n", "-", ":", "'", "\"", "#", "[", "}", ",", "|", "&a ", "\r", "\t"][..]),
        cut in 0_usize..3,
        limits in limits(),
    ) {
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        let end = (at + cut).min(characters.len());
        characters.splice(at..end, put.chars());
        let text: String = characters.into_iter().collect();
        same(&text, &limits);
    }
}
