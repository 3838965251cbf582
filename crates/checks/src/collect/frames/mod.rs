//! Parses the output of the collector into facts. Incomplete output is an error.

use std::collections::BTreeMap;

use crate::facts::blob::Blob;
use crate::facts::{Facts, Identity, Reading};
use crate::resource::filesystem::file;
use crate::text::{truncate_for_display, unhex};

/// Error in the output of a collector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// Output without frames; the last line of the target.
    #[error("the collector printed no facts{}", if .0.is_empty() { String::new() } else { format!("; last output of the target: {}", .0) })]
    NoFacts(String),
    /// Missing tools on the target.
    #[error("the target lacks tools that the collector requires: {0}")]
    MissingTools(String),
    /// Output without the last frame.
    #[error("the output of the collector ends after {0} facts: the last line is missing")]
    MissingEnd(usize),
    /// Output with missing frames: received and expected number.
    #[error("the output of the collector is incomplete: {0} of {1} facts")]
    MissingFrames(usize, usize),
}

/// Line of the collector.
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
            // The collector reads one byte beyond the limit to detect truncation.
            bytes.pop();
        }
        let secret = self.kind == "body" && file::is_secret_path(&self.key);
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

/// Parses the lines with this nonce and ignores other lines.
///
/// # Errors
/// Returns an error if frames are missing.
pub fn parse_facts(nonce: &str, stdout: &[u8]) -> Result<Facts, CollectError> {
    let mut frames = Vec::new();
    let mut end = None;
    for line in stdout.split(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some(words) = words_after_nonce(nonce, &line) else {
            continue;
        };
        match words.as_slice() {
            ["lacks", tools @ ..] if frames.is_empty() && !tools.is_empty() => {
                return Err(CollectError::MissingTools(truncate_for_display(
                    tools.join(", ").as_bytes(),
                )));
            }
            ["end", count] => end = count.parse::<usize>().ok(),
            [kind, key, rc, flags, len, payload] => {
                frames.extend(parse_frame(kind, key, rc, flags, len, payload))
            }
            _ => {}
        }
    }
    match end {
        None if frames.is_empty() => {
            let last_line = stdout
                .split(|b| *b == b'\n')
                .rfind(|line| !line.trim_ascii().is_empty())
                .unwrap_or_default();
            Err(CollectError::NoFacts(truncate_for_display(last_line)))
        }
        None => Err(CollectError::MissingEnd(frames.len())),
        Some(count) if count != frames.len() || count == 0 => {
            Err(CollectError::MissingFrames(frames.len(), count))
        }
        Some(_) => Ok(facts_from_frames(&frames)),
    }
}

/// Returns the words after the nonce; a prompt or a prefix can precede it.
fn words_after_nonce<'a>(nonce: &str, line: &'a str) -> Option<Vec<&'a str>> {
    if nonce.is_empty() {
        return None;
    }
    let at = line.rfind(nonce)?;
    let rest = line[at + nonce.len()..]
        .trim_end_matches('\r')
        .strip_prefix(' ')?;
    Some(rest.split(' ').collect())
}

fn parse_frame(
    kind: &str,
    key: &str,
    rc: &str,
    flags: &str,
    len: &str,
    payload: &str,
) -> Option<Frame> {
    let payload = parse_bytes(payload)?;
    if len.parse::<usize>().ok()? != payload.len() {
        return None;
    }
    let key = String::from_utf8(parse_bytes(key)?).ok()?;
    Some(Frame {
        kind: kind.to_owned(),
        key,
        rc: rc.parse().ok()?,
        flags: flags.to_owned(),
        payload,
    })
}

/// Parses a field of a frame; `-` is an empty one.
fn parse_bytes(field: &str) -> Option<Vec<u8>> {
    if field == "-" {
        return Some(Vec::new());
    }
    unhex(field)
}

fn facts_from_frames(frames: &[Frame]) -> Facts {
    let mut facts = Facts::default();
    for frame in frames {
        if frame.kind == "identity" {
            facts.identity = parse_identity(&frame.text());
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

fn parse_identity(text: &str) -> Identity {
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
mod tests;
