//! Owns bytes from a target: what of them is shown and what is kept.

use serde::de::Error;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};

use sha2::{Digest as _, Sha256};

use crate::text::{brief, hex, unhex};

/// Bytes from a target, perhaps cut, perhaps secret: a secret is matched in memory, and neither printed nor kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blob {
    bytes: Vec<u8>,
    /// There was more.
    pub truncated: bool,
    secret: bool,
    /// How many bytes there were, where they are a secret of which only the length was kept.
    kept: Option<usize>,
}

impl Blob {
    /// Bytes; `secret` if their origin makes them so. Private keys and tables of password hashes are, wherever they come from.
    #[must_use]
    pub fn new(bytes: Vec<u8>, truncated: bool, secret: bool) -> Self {
        const MARK: &[u8] = b"PRIVATE KEY-----";
        let secret = secret || bytes.windows(MARK.len()).any(|w| w == MARK) || hashes(&bytes);
        Self {
            bytes,
            truncated,
            secret,
            kept: None,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the bytes are a secret.
    pub(crate) fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether the bytes are a secret that was left out when this was written down.
    pub(crate) fn withheld(&self) -> bool {
        self.kept.is_some()
    }

    /// What tells it from other bytes: the beginning of its SHA-256; of a secret only its length.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        if self.secret {
            return format!("(secret, {} bytes)", self.len());
        }
        hex(&Sha256::digest(&self.bytes)[..6])
    }

    fn len(&self) -> usize {
        self.kept.unwrap_or(self.bytes.len())
    }

    pub(crate) fn shown(&self) -> String {
        if self.secret {
            format!("(secret, {} bytes)", self.len())
        } else {
            format!("\"{}\"", brief(&self.bytes))
        }
    }
}

/// `{text}` or `{hex}`, with `truncated`; of a secret only its length.
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

/// What [`Blob`]'s `Serialize` writes; it may stand among other keys.
#[derive(Deserialize)]
struct Written {
    secret: Option<bool>,
    bytes: Option<usize>,
    text: Option<String>,
    hex: Option<String>,
    #[serde(default)]
    truncated: bool,
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let open = |bytes, cut| Ok(Self::new(bytes, cut, false));
        match Written::deserialize(deserializer)? {
            Written {
                secret: Some(true),
                bytes: Some(len),
                text: None,
                hex: None,
                truncated,
            } => Ok(Self {
                bytes: Vec::new(),
                truncated,
                secret: true,
                kept: Some(len),
            }),
            Written {
                secret: None,
                bytes: None,
                text: Some(text),
                hex: None,
                truncated: cut,
            } => open(text.into_bytes(), cut),
            Written {
                secret: None,
                bytes: None,
                text: None,
                hex: Some(hex),
                truncated: cut,
            } => open(
                unhex(&hex).ok_or_else(|| D::Error::custom("`hex` is not hexadecimal"))?,
                cut,
            ),
            _ => Err(D::Error::custom(
                "bytes are `text`, `hex`, or `secret` with the number of `bytes`",
            )),
        }
    }
}

/// Whether a line has a password's hash as crypt(5) writes them, in the second field of a table with colons, and not yet
/// shortened to its kind.
fn hashes(bytes: &[u8]) -> bool {
    let hash = |field: &[u8]| {
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
        .any(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::observed::Observed;

    #[test]
    fn secrets_are_neither_shown_nor_kept() {
        let shadow = Blob::new(b"root:$y$...:1".to_vec(), false, true);
        let key = Blob::new(
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nabc".to_vec(),
            false,
            false,
        );
        let copied = Blob::new(b"# x\nroot:!$6$c0ffee$abcdefgh:1:\n".to_vec(), false, false);
        for blob in [shadow, key, copied] {
            let kept = serde_json::to_string(&blob).expect("json");
            for text in [kept, blob.shown()] {
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
    fn what_is_written_is_read_back() {
        for (json, shown) in [
            (r#"{"text":"a\nb"}"#, r#""a\nb""#),
            (r#"{"hex":"ff00","truncated":true}"#, "\"\u{fffd}\\0\""),
            (r#"{"secret":true,"bytes":13}"#, "(secret, 13 bytes)"),
        ] {
            let blob: Blob = serde_json::from_str(json).expect(json);
            assert_eq!(serde_json::to_string(&blob).expect("json"), json);
            assert_eq!(blob.shown(), shown);
            assert_eq!(blob.withheld(), json.contains("secret"));
            let judged = !matches!(Observed::blob(&blob), Observed::Unknown(_));
            assert_eq!(
                judged,
                json.contains("text"),
                "neither a secret nor a part is judged"
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
