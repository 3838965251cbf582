//! Owns the way from a collector's output, among whatever else was printed, to facts, or to an error: never to a guess.

use std::collections::BTreeMap;

use crate::facts::blob::Blob;
use crate::facts::{Facts, Identity, Reading};
use crate::resource::filesystem::file;
use crate::text::{brief, unhex};

/// Why a collector's output can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// There was not one frame.
    #[error("the collector answered nothing{}", if .0.is_empty() { String::new() } else { format!("; the target said: {}", .0) })]
    Silent(String),
    /// The target has not what every collection needs.
    #[error("the target lacks what a collection needs: {0}")]
    Lacking(String),
    /// It ended before its last frame.
    #[error("the collector was cut off after {0} facts: its end is missing")]
    CutOff(usize),
    /// Its last frame counts otherwise.
    #[error("the collector was cut off after {0} of {1} facts")]
    Lost(usize, usize),
}

/// One line of the collector.
struct Frame {
    kind: String,
    key: String,
    rc: i32,
    flags: String,
    payload: Vec<u8>,
}

impl Frame {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    fn reading(&self) -> Reading {
        let truncated = self.flags.contains('t');
        let mut bytes = self.payload.clone();
        if truncated {
            // One byte more than the cap was read, to know.
            bytes.pop();
        }
        let secret = self.kind == "body" && file::secret(&self.key);
        let flags = self
            .flags
            .chars()
            .filter(|c| !matches!(c, '-' | 't'))
            .collect();
        Reading {
            rc: self.rc,
            flags,
            body: Blob::new(bytes, truncated, secret),
        }
    }
}

/// Reads what the collector with this nonce printed; everything else on the stream is noise.
///
/// # Errors
/// Frames are missing: nothing may be judged by such facts.
pub fn parse(nonce: &str, stdout: &[u8]) -> Result<Facts, CollectError> {
    let mut frames = Vec::new();
    let mut end = None;
    for line in stdout.split(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some(words) = words_after(nonce, &line) else {
            continue;
        };
        match words.as_slice() {
            ["lacks", tools @ ..] if frames.is_empty() && !tools.is_empty() => {
                return Err(CollectError::Lacking(brief(tools.join(", ").as_bytes())));
            }
            ["end", count] => end = count.parse::<usize>().ok(),
            [kind, key, rc, flags, len, payload] => {
                frames.extend(frame(kind, key, rc, flags, len, payload))
            }
            _ => {}
        }
    }
    match end {
        None if frames.is_empty() => {
            let said = stdout
                .split(|b| *b == b'\n')
                .rfind(|line| !line.trim_ascii().is_empty())
                .unwrap_or_default();
            Err(CollectError::Silent(brief(said)))
        }
        None => Err(CollectError::CutOff(frames.len())),
        Some(count) if count != frames.len() || count == 0 => {
            Err(CollectError::Lost(frames.len(), count))
        }
        Some(_) => Ok(facts(&frames)),
    }
}

/// What follows the nonce, wherever on the line it stands: a prompt or a prefix may precede it.
fn words_after<'a>(nonce: &str, line: &'a str) -> Option<Vec<&'a str>> {
    if nonce.is_empty() {
        return None;
    }
    let at = line.rfind(nonce)?;
    let rest = line[at + nonce.len()..]
        .trim_end_matches('\r')
        .strip_prefix(' ')?;
    Some(rest.split(' ').collect())
}

fn frame(kind: &str, key: &str, rc: &str, flags: &str, len: &str, payload: &str) -> Option<Frame> {
    let payload = bytes(payload)?;
    if len.parse::<usize>().ok()? != payload.len() {
        return None;
    }
    let key = String::from_utf8(bytes(key)?).ok()?;
    Some(Frame {
        kind: kind.to_owned(),
        key,
        rc: rc.parse().ok()?,
        flags: flags.to_owned(),
        payload,
    })
}

/// Parses a field of a frame; `-` is an empty one.
fn bytes(field: &str) -> Option<Vec<u8>> {
    if field == "-" {
        return Some(Vec::new());
    }
    unhex(field)
}

fn facts(frames: &[Frame]) -> Facts {
    let mut facts = Facts::default();
    for frame in frames {
        if frame.kind == "identity" {
            facts.identity = identity(&frame.text());
        } else if frame.kind == "stats" {
            for (kind, path, reading) in file::unpack(&frame.text()) {
                facts
                    .readings
                    .entry(kind.to_owned())
                    .or_default()
                    .insert(path, reading);
            }
        } else {
            facts
                .readings
                .entry(frame.kind.clone())
                .or_default()
                .insert(frame.key.clone(), frame.reading());
        }
    }
    facts
}

fn identity(text: &str) -> Identity {
    let map: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let get = |key: &str| map.get(key).copied().unwrap_or_default().to_owned();
    let some = |key: &str| Some(get(key)).filter(|v| !v.is_empty());
    Identity {
        directory: get("directory") == "yes",
        uid: get("uid").parse().ok(),
        boot_id: some("boot_id"),
        machine_id: get("machine_id"),
        kernel: get("kernel"),
        kernel_owned: get("kernel_owned") == "yes",
        service_manager: get("service_manager") == "yes",
        virtualization: get("virtualization"),
        container: some("container"),
        clock: get("clock"),
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
