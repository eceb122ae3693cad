//! HTTP/2 frames as bytes, for clients that break the rules on purpose.

use serde_json::Value;

/// Each character as the byte of the same number.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).expect("Latin-1"))
        .collect()
}

/// The client's preface and empty settings (RFC 9113 section 3.4).
pub(crate) fn preface() -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut out, 4, 0, 0, &[]);
    out
}

/// The frames of a case, one after the other.
pub(crate) fn encode(frames: &Value, shift: u64, out: &mut Vec<u8>) {
    for one in frames.as_array().expect("a list") {
        let number = |key: &str| one[key].as_u64().unwrap_or(0);
        let stream = match number("sid") {
            0 => 0,
            stream => u32::try_from(stream + shift).expect("small"),
        };
        let flags = one["flags"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|flag| match flag.as_str() {
                Some("ES") => 1,
                Some("EH") => 4,
                flag => panic!("{flag:?}"),
            });
        let flags = flags.sum();
        let word = |key: &str| u32::try_from(number(key)).expect("small").to_be_bytes();
        match one["t"].as_str().expect("a type") {
            "HEADERS" => frame(out, 1, flags, stream, &fields(&one["fields"])),
            "CONT" => frame(out, 9, flags, stream, &fields(&one["fields"])),
            "DATA" => frame(
                out,
                0,
                flags,
                stream,
                &bytes(one["data"].as_str().expect("text")),
            ),
            "RST" => frame(out, 3, 0, stream, &word("code")),
            "WINUP" => frame(out, 8, 0, stream, &word("inc")),
            "PING" => frame(out, 6, 0, 0, &[0; 8]),
            "RAW" => frame(
                out,
                u8::try_from(number("type")).expect("small"),
                flags,
                stream,
                &bytes(one["data"].as_str().expect("text")),
            ),
            "SETTINGS" => {
                let mut payload = Vec::new();
                for pair in one["pairs"].as_array().expect("a list") {
                    let part = |at: usize| {
                        u32::try_from(pair[at].as_u64().expect("a number")).expect("small")
                    };
                    payload
                        .extend_from_slice(&u16::try_from(part(0)).expect("small").to_be_bytes());
                    payload.extend_from_slice(&part(1).to_be_bytes());
                }
                frame(out, 4, 0, 0, &payload);
            }
            "LOOP" => {
                for round in 0..number("times") {
                    encode(&one["frames"], shift + round * number("sid_step"), out);
                }
            }
            "BOMB" => bomb(out, stream, number("refs")),
            kind => panic!("{kind}"),
        }
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Literals without indexing and without Huffman coding (RFC 7541 section 6.2.2).
fn fields(list: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for field in list.as_array().expect("a list") {
        out.push(0);
        string(&mut out, &bytes(field[0].as_str().expect("text")));
        string(&mut out, &bytes(field[1].as_str().expect("text")));
    }
    out
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length) if length < 127 => out.push(length),
        _ => {
            out.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                out.push(u8::try_from(rest % 128).expect("small") | 128);
                rest /= 128;
            }
            out.push(u8::try_from(rest).expect("small"));
        }
    }
    out.extend_from_slice(text);
}

/// A header block whose decoded size is a multiple of what is sent: one indexed field, referred to again and again.
fn bomb(out: &mut Vec<u8>, stream: u32, references: u64) {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "gate.test"),
        (":path", "/"),
    ] {
        block.push(0);
        string(&mut block, name.as_bytes());
        string(&mut block, value.as_bytes());
    }
    block.push(0x40);
    string(&mut block, b"cookie");
    string(&mut block, &[b'a'; 3900]);
    // The first entry of the dynamic table (RFC 7541 section 2.3.3).
    block.extend(std::iter::repeat_n(
        0x80 | 62,
        usize::try_from(references).expect("small"),
    ));
    frame(out, 1, 5, stream, &block);
}

/// What came back, as far as a judge needs it.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Statuses of the streams; 0 stands for one that the static table does not hold.
    pub(crate) statuses: Vec<u16>,
    pub(crate) resets: usize,
    pub(crate) goaway: bool,
}

/// Reads the frames that the server sent.
pub(crate) fn decode(mut bytes: &[u8]) -> Answers {
    let mut answers = Answers::default();
    while let [a, b, c, kind, _, rest @ ..] = bytes {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some(payload) = rest.get(4..4 + length) else {
            break;
        };
        match kind {
            1 => answers
                .statuses
                .push(match payload.iter().find(|byte| **byte & 0xe0 != 0x20) {
                    Some(0x88) => 200,
                    Some(0x8c) => 400,
                    Some(0x8d) => 404,
                    Some(0x8e) => 500,
                    _ => 0,
                }),
            3 => answers.resets += 1,
            7 => answers.goaway = true,
            _ => {}
        }
        bytes = &rest[4 + length..];
    }
    answers
}
