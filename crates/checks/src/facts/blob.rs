//! Defines bytes from a target; secrets are neither shown nor stored.

use serde::de::Error;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};

use sha2::{Digest as _, Sha256};

use crate::text::{hex, truncate_for_display, unhex};

/// Bytes from a target. Secrets are compared in memory, but neither shown nor stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blob {
    bytes: Vec<u8>,
    /// True if the target had more bytes.
    pub truncated: bool,
    secret: bool,
    /// Length of a secret whose bytes were not stored.
    omitted: Option<usize>,
}

impl Blob {
    /// Creates a blob. Private keys and password hashes are secret, even if `secret` is false.
    #[must_use]
    pub fn new(bytes: Vec<u8>, truncated: bool, secret: bool) -> Self {
        const MARK: &[u8] = b"PRIVATE KEY-----";
        let secret =
            secret || bytes.windows(MARK.len()).any(|w| w == MARK) || has_password_hash(&bytes);
        Self {
            bytes,
            truncated,
            secret,
            omitted: None,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns whether the bytes are secret.
    pub(crate) fn is_secret(&self) -> bool {
        self.secret
    }

    /// Returns whether the bytes are a secret that was not stored.
    pub(crate) fn is_omitted(&self) -> bool {
        self.omitted.is_some()
    }

    /// Returns a prefix of the SHA-256; for a secret only the length.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        if self.secret {
            return format!("(secret, {} bytes)", self.len());
        }
        hex(&Sha256::digest(&self.bytes)[..6])
    }

    fn len(&self) -> usize {
        self.omitted.unwrap_or(self.bytes.len())
    }

    /// Formats the bytes for messages.
    pub(crate) fn display(&self) -> String {
        if self.secret {
            format!("(secret, {} bytes)", self.len())
        } else {
            format!("\"{}\"", truncate_for_display(&self.bytes))
        }
    }
}

/// Writes `text` or `hex`, and `truncated`; for a secret only its length.
impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.secret {
            map.serialize_entry("secret", &true)?;
            map.serialize_entry("bytes", &self.len())?;
        } else if let Ok(text) = std::str::from_utf8(&self.bytes) {
            map.serialize_entry("text", text)?;
        } else {
            map.serialize_entry("hex", &hex(&self.bytes))?;
        }
        if self.truncated {
            map.serialize_entry("truncated", &true)?;
        }
        map.end()
    }
}

/// Serialized form of [`Blob`], flattened into other structures.
#[derive(Deserialize)]
struct StoredBlob {
    secret: Option<bool>,
    bytes: Option<usize>,
    text: Option<String>,
    hex: Option<String>,
    #[serde(default)]
    truncated: bool,
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let public = |bytes, cut| Ok(Self::new(bytes, cut, false));
        match StoredBlob::deserialize(deserializer)? {
            StoredBlob {
                secret: Some(true),
                bytes: Some(len),
                text: None,
                hex: None,
                truncated,
            } => Ok(Self {
                bytes: Vec::new(),
                truncated,
                secret: true,
                omitted: Some(len),
            }),
            StoredBlob {
                secret: None,
                bytes: None,
                text: Some(text),
                hex: None,
                truncated: cut,
            } => public(text.into_bytes(), cut),
            StoredBlob {
                secret: None,
                bytes: None,
                text: None,
                hex: Some(hex),
                truncated: cut,
            } => public(
                unhex(&hex).ok_or_else(|| D::Error::custom("`hex` is not hexadecimal"))?,
                cut,
            ),
            _ => Err(D::Error::custom(
                "bytes are `text`, `hex`, or `secret` with the number of `bytes`",
            )),
        }
    }
}

/// Returns whether the second field of a line is a password hash in the format of crypt(5).
/// Hashes that the collector shortened to their kind do not count.
fn has_password_hash(bytes: &[u8]) -> bool {
    let is_hash = |field: &[u8]| {
        let field = &field[field.iter().take_while(|b| **b == b'!').count()..];
        let mut parts = field.split(|b| *b == b'$');
        let begins = parts.next().is_some_and(<[u8]>::is_empty);
        let kind = parts
            .next()
            .is_some_and(|kind| !kind.is_empty() && kind.len() < 12);
        begins && kind && parts.any(|part| part.len() >= 8)
    };
    bytes
        .split(|b| *b == b'\n')
        .filter_map(|line| line.split(|b| *b == b':').nth(1))
        .any(is_hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::observation::Observation;

    #[test]
    fn secret_is_neither_shown_nor_stored() {
        let shadow = Blob::new(b"root:$y$...:1".to_vec(), false, true);
        let key = Blob::new(
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nabc".to_vec(),
            false,
            false,
        );
        let copied = Blob::new(b"# x\nroot:!$6$c0ffee$abcdefgh:1:\n".to_vec(), false, false);
        for blob in [shadow, key, copied] {
            let stored = serde_json::to_string(&blob).expect("json");
            for text in [stored, blob.display()] {
                assert!(
                    text.contains("secret") && !text.contains("root") && !text.contains("abc"),
                    "{text}"
                );
            }
        }
        let plain = serde_json::to_value(Blob::new(vec![0xff], true, false)).expect("json");
        assert_eq!(plain, serde_json::json!({"hex": "ff", "truncated": true}));
    }

    #[test]
    fn stored_blob_can_be_parsed() {
        for (json, shown) in [
            (r#"{"text":"a\nb"}"#, r#""a\nb""#),
            (r#"{"hex":"ff00","truncated":true}"#, "\"\u{fffd}\\0\""),
            (r#"{"secret":true,"bytes":13}"#, "(secret, 13 bytes)"),
        ] {
            let blob: Blob = serde_json::from_str(json).expect(json);
            assert_eq!(serde_json::to_string(&blob).expect("json"), json);
            assert_eq!(blob.display(), shown);
            assert_eq!(blob.is_omitted(), json.contains("secret"));
            let comparable = !matches!(Observation::blob(&blob), Observation::Unknown(_));
            assert_eq!(
                comparable,
                json.contains("text"),
                "omitted secrets and truncated bytes are not compared"
            );
        }
        for bad in [
            r#"{"truncated":false}"#,
            r#"{"text":"a","hex":"61","truncated":false}"#,
            r#"{"hex":"6","truncated":false}"#,
            r#"{"hex":"+6","truncated":false}"#,
            r#"{"secret":false,"bytes":3,"truncated":false}"#,
        ] {
            assert!(serde_json::from_str::<Blob>(bad).is_err(), "{bad}");
        }
    }
}
