//! Certificates: Secret → PEM → DER, and those of authorities. The one user of `rustls-pemfile`.

use std::sync::Arc;

use rustls_pemfile::Item;

use super::context::Context;
use super::finding::{Finding, Reason};
use super::grant;
use crate::api::reference::SecretObjectReference;
use crate::api::secret::Secret;
use crate::base64;
use crate::key::{Kind, ObjectKey};
use crate::rule::{Certificate, PrivateKey};

/// Reads the certificate that a reference of a Gateway or ListenerSet names.
///
/// # Errors
///
/// If it may not be referred to (which is asked first), is not there, or is no certificate with its key.
pub(super) fn read(
    context: &Context<'_>,
    owner: &ObjectKey,
    reference: &SecretObjectReference,
) -> Result<Arc<Certificate>, Finding> {
    let invalid = |message: String| Finding::new(Reason::InvalidCertificateRef, message);
    if !reference.group().is_empty() || reference.kind() != "Secret" {
        let message = format!(
            "certificateRef names {} of group `{}`, expected a Secret of the core group",
            reference.kind(),
            reference.group()
        );
        return Err(invalid(message));
    }
    let namespace = reference.namespace(&owner.namespace);
    let to = (Kind::Secret, namespace, reference.name.as_str());
    if !grant::permits(context, owner, to) {
        let message = format!(
            "{owner} may not refer to Secret `{namespace}/{}`: {}",
            reference.name,
            grant::advice(owner, to)
        );
        return Err(Finding::new(Reason::RefNotPermitted, message));
    }
    let name = format!("Secret `{namespace}/{}`", reference.name);
    let secret = context
        .secret(namespace, &reference.name)
        .ok_or_else(|| invalid(format!("{name} does not exist")))?;
    if secret.secret_type.as_deref() != Some("kubernetes.io/tls") {
        let found = secret.secret_type.as_deref().unwrap_or("Opaque");
        return Err(invalid(format!(
            "{name} has type `{found}`, expected kubernetes.io/tls"
        )));
    }
    let entry = |key: &str| {
        value(secret, key).ok_or_else(|| invalid(format!("{name} has no readable entry `{key}`")))
    };
    let (chain, key) = (entry("tls.crt")?, entry("tls.key")?);
    let chain: Vec<Arc<[u8]>> = items(&chain)
        .filter_map(|item| match item {
            Item::X509Certificate(der) => Some(Arc::from(&*der)),
            _ => None,
        })
        .collect();
    let Some(leaf) = chain.first() else {
        return Err(invalid(format!(
            "{name}: `tls.crt` holds no PEM certificate"
        )));
    };
    let names = der::dns_names(leaf).ok_or_else(|| {
        invalid(format!(
            "{name}: the certificate in `tls.crt` cannot be read"
        ))
    })?;
    let key = items(&key).find_map(|item| match item {
        Item::Pkcs1Key(der) => Some(PrivateKey::Pkcs1(der.secret_pkcs1_der().into())),
        Item::Pkcs8Key(der) => Some(PrivateKey::Pkcs8(der.secret_pkcs8_der().into())),
        Item::Sec1Key(der) => Some(PrivateKey::Sec1(der.secret_sec1_der().into())),
        _ => None,
    });
    let Some(key) = key else {
        return Err(invalid(format!(
            "{name}: `tls.key` holds no PEM private key"
        )));
    };
    let secret = ObjectKey::new(Kind::Secret, namespace, reference.name.clone());
    Ok(Arc::new(Certificate {
        secret,
        chain,
        key,
        names,
    }))
}

/// The certificates of a PEM text, DER; `None` if there is none, or one that cannot be read.
pub(super) fn authorities(text: &[u8]) -> Option<Vec<Arc<[u8]>>> {
    let mut reader = std::io::Cursor::new(text);
    let mut found: Vec<Arc<[u8]>> = Vec::new();
    while let Some(item) = rustls_pemfile::read_one(&mut reader).ok()? {
        if let Item::X509Certificate(certificate) = item {
            der::dns_names(&certificate)?;
            found.push(Arc::from(&*certificate));
        }
    }
    (!found.is_empty()).then_some(found)
}

/// The items of a PEM text; it ends at the first that is malformed.
fn items(text: &[u8]) -> impl Iterator<Item = Item> {
    let mut reader = std::io::Cursor::new(text.to_vec());
    std::iter::from_fn(move || rustls_pemfile::read_one(&mut reader).ok().flatten())
}

fn value(secret: &Secret, key: &str) -> Option<Vec<u8>> {
    if let Some(text) = secret.string_data.as_ref().and_then(|data| data.get(key)) {
        return Some(text.clone().into_bytes());
    }
    base64::decode(secret.data.as_ref()?.get(key)?)
}

/// As much of DER (X.690) as it takes to find the names of a certificate.
mod der {
    /// The DNS names of the subject alternative names (RFC 5280 section 4.2.1.6); `None` if it is no certificate.
    pub(super) fn dns_names(certificate: &[u8]) -> Option<Vec<Box<str>>> {
        let (certificate, _) = expect(certificate, 0x30)?;
        let (tbs, rest) = expect(certificate, 0x30)?;
        // The signature's algorithm and bits follow.
        let (_, rest) = expect(rest, 0x30)?;
        expect(rest, 0x03)?;
        let mut names = Vec::new();
        let mut rest = tbs;
        while let Some((tag, content, after)) = next(rest) {
            rest = after;
            // extensions [3]
            if tag == 0xa3 {
                let (extensions, _) = expect(content, 0x30)?;
                collect(extensions, &mut names);
            }
        }
        Some(names)
    }

    fn collect(mut extensions: &[u8], names: &mut Vec<Box<str>>) {
        while let Some((_, extension, after)) = next(extensions) {
            extensions = after;
            // id-ce-subjectAltName 2.5.29.17
            let Some((0x06, [0x55, 0x1d, 0x11], mut rest)) = next(extension) else {
                continue;
            };
            while let Some((tag, content, after)) = next(rest) {
                rest = after;
                if tag != 0x04 {
                    continue;
                }
                let Some((mut general, _)) = expect(content, 0x30) else {
                    continue;
                };
                while let Some((tag, content, after)) = next(general) {
                    general = after;
                    // dNSName [2]
                    if tag == 0x82 && content.is_ascii() {
                        names.push(String::from_utf8_lossy(content).to_ascii_lowercase().into());
                    }
                }
            }
        }
    }

    fn expect(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
        let (tag, content, rest) = next(bytes)?;
        (tag == wanted).then_some((content, rest))
    }

    /// Tag, content and what follows; lengths up to four bytes.
    fn next(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = digits
                    .iter()
                    .fold(0_usize, |length, &digit| length << 8 | usize::from(digit));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        Some((tag, content, rest))
    }
}
