//! Parses the state of files, from one `stat` for many paths or from `ls`.

use std::collections::HashMap;

use crate::facts::blob::Blob;
use crate::facts::{Facts, Read, Reading};
use crate::text::truncate_for_display;

/// State of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFact {
    /// State of the path itself. Links are not followed.
    pub entry: Read<Stat>,
    /// Target of a link as stored.
    pub link_target: Option<String>,
    /// State of the final target of a link.
    pub target: Option<Read<Stat>>,
}

impl FileFact {
    /// Returns the state of the path with links followed.
    pub(crate) fn final_state(&self) -> &Read<Stat> {
        self.target.as_ref().unwrap_or(&self.entry)
    }
}

/// State of an inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Value of the `type` property.
    pub kind: &'static str,
    /// Permission bits with setuid, setgid and sticky bits.
    pub mode: u32,
    /// UID of the owner.
    pub uid: u32,
    /// GID of the group.
    pub gid: u32,
    /// Size in bytes; none for a device.
    pub size: Option<u64>,
}

/// Returns the collected state of a path; none if it was not collected.
pub(crate) fn fact(facts: &Facts, path: &str) -> Option<FileFact> {
    let link = facts
        .reading("link", path)
        .map(|r| String::from_utf8_lossy(r.body.bytes()).into_owned());
    let entry = read_state(facts.reading("file", path)?);
    Some(FileFact {
        entry,
        link_target: link,
        target: facts.reading("real", path).map(read_state),
    })
}

fn read_state(reading: &Reading) -> Read<Stat> {
    match reading.rc {
        0 => parse_state(&String::from_utf8_lossy(reading.body.bytes())).map_or_else(
            || Read::Unreadable("`stat` or `ls` printed an unknown format".to_owned()),
            Read::Present,
        ),
        1 => Read::Absent,
        2 => Read::Unreadable("permission denied".to_owned()),
        _ => Read::Unreadable(truncate_for_display(reading.body.bytes())),
    }
}

/// Parses a line of `stat` or `ls`.
pub(crate) fn parse_state(line: &str) -> Option<Stat> {
    let words: Vec<&str> = line.split_ascii_whitespace().take(5).collect();
    match words.as_slice() {
        [raw, uid, gid, size] => parse_stat(raw, uid, gid, size),
        [perms, _links, uid, gid, size] => parse_ls(perms, uid, gid, size),
        _ => None,
    }
}

/// Parses `stat -c '%f %u %g %s'` of GNU coreutils and busybox: st_mode in hex, owner, group, size.
/// inode(7) defines the types.
fn parse_stat(raw: &str, uid: &str, gid: &str, size: &str) -> Option<Stat> {
    let raw = u32::from_str_radix(raw, 16).ok()?;
    let kind = match raw & 0o170_000 {
        0o100_000 => "file",
        0o040_000 => "directory",
        0o120_000 => "link",
        0o140_000 => "socket",
        0o010_000 => "pipe",
        0o020_000 => "char",
        0o060_000 => "block",
        _ => return None,
    };
    let size = if matches!(kind, "char" | "block") {
        None
    } else {
        Some(size.parse().ok()?)
    };
    Some(Stat {
        kind,
        mode: raw & 0o7777,
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        size,
    })
}

/// Parses a line of `ls -ldn`: `-rwsr-xr-x 1 0 0 1234 date path`.
///
/// POSIX defines these columns and allows one more character after the permissions. A device has
/// `major, minor` instead of a size.
fn parse_ls(perms: &str, uid: &str, gid: &str, size: &str) -> Option<Stat> {
    let kind = match perms.chars().next()? {
        '-' => "file",
        'd' => "directory",
        'l' => "link",
        's' => "socket",
        'p' => "pipe",
        'c' => "char",
        'b' => "block",
        _ => return None,
    };
    let mode = parse_mode(perms.get(1..10)?)?;
    let size = if matches!(kind, "char" | "block") {
        None
    } else {
        Some(size.parse().ok()?)
    };
    Some(Stat {
        kind,
        mode,
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        size,
    })
}

fn parse_mode(letters: &str) -> Option<u32> {
    let mut bits = 0;
    for (i, c) in letters.chars().enumerate() {
        let plain = 0o400 >> i;
        let special = 0o4000 >> (i / 3);
        bits |= match (i % 3, c) {
            (_, '-') => 0,
            (0, 'r') | (1, 'w') | (2, 'x') => plain,
            (2, 's') if i < 8 => plain | special,
            (2, 'S') if i < 8 => special,
            (2, 't') if i == 8 => plain | special,
            (2, 'T') if i == 8 => special,
            _ => return None,
        };
    }
    Some(bits)
}

/// State of one path in a `states` answer.
#[derive(Default)]
struct PathState<'t> {
    path: &'t str,
    /// Name for `stat`, if it differs.
    stat_path: Option<&'t str>,
    is_missing: bool,
    is_loop: bool,
    link: Option<&'t str>,
    /// Name of the final target for `stat`, if it differs.
    target_path: Option<&'t str>,
}

/// Returns the readings `file`, `link` and `real` of an answer for many paths, each with its path
/// (see `states` in file.sh).
pub(crate) fn unpack(text: &str) -> Vec<(&'static str, String, Reading)> {
    let (mut entries, mut states, mut messages, mut target_states) = (
        Vec::<PathState<'_>>::new(),
        HashMap::new(),
        vec![],
        HashMap::new(),
    );
    let mut part = "";
    for line in text.lines() {
        match (part, line) {
            (_, "=here" | "=gone" | "=there") => part = line,
            ("", _) => parse_entry_line(line, &mut entries),
            ("=gone", _) => messages.push(line),
            (_, _) => {
                let cut = line
                    .match_indices(' ')
                    .nth(3)
                    .map(|(at, _)| line.split_at(at));
                let into = if part == "=here" {
                    &mut states
                } else {
                    &mut target_states
                };
                into.extend(cut.map(|(state, name)| (&name[1..], state)));
            }
        }
    }
    let reading = |rc, text: &str| Reading {
        rc,
        flags: String::new(),
        body: Blob::new(text.as_bytes().to_vec(), false, false),
    };
    let state = |found: &HashMap<&str, &str>, name: &str| match found.get(name) {
        Some(state) => reading(0, state),
        None => reading(
            3,
            "the file changed during the collection, or `stat` has an unknown format",
        ),
    };
    let complete = messages.len() == entries.iter().filter(|e| e.is_missing).count();
    let mut errors = messages.into_iter();
    let mut out = Vec::new();
    for one in entries {
        let name = one.stat_path.unwrap_or(one.path);
        let file = if one.is_loop {
            reading(3, "too many levels of symbolic links")
        } else if one.is_missing {
            match errors.next() {
                Some(error) if complete => reading(error_status(error), error),
                _ => state(&HashMap::new(), name),
            }
        } else {
            state(&states, name)
        };
        out.push(("file", one.path.to_owned(), file));
        if let Some(to) = one.link {
            out.push(("link", one.path.to_owned(), reading(0, to)));
            out.push((
                "real",
                one.path.to_owned(),
                state(&target_states, one.target_path.unwrap_or(one.path)),
            ));
        }
    }
    out
}

fn parse_entry_line<'t>(line: &'t str, entries: &mut Vec<PathState<'t>>) {
    if let Some(path) = line.strip_prefix("p ") {
        entries.push(PathState {
            path,
            ..PathState::default()
        });
        return;
    }
    let Some(last) = entries.last_mut() else {
        return;
    };
    match line.split_at_checked(1) {
        Some(("n", "")) => last.is_missing = true,
        Some(("!", "")) => last.is_loop = true,
        Some(("@", at)) => last.stat_path = at.get(1..),
        Some((">", to)) => last.link = to.get(1..),
        Some((")", at)) => last.target_path = at.get(1..),
        _ => {}
    }
}

/// Returns the status for an error message of `stat`.
fn error_status(error: &str) -> i32 {
    match error.rsplit(": ").next() {
        Some("No such file or directory" | "Not a directory") => 1,
        Some("Permission denied") => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_and_ls_lines_are_parsed() {
        type Known = (&'static str, u32, Option<u64>);
        let table: &[(&str, Option<Known>)] = &[
            ("81a4 0 0 286", Some(("file", 0o644, Some(286)))),
            ("89ed 0 0 1", Some(("file", 0o4755, Some(1)))),
            ("43ff 0 0 4096", Some(("directory", 0o1777, Some(4096)))),
            ("a1ff 0 0 7", Some(("link", 0o777, Some(7)))),
            ("21b6 0 0 0", Some(("char", 0o666, None))),
            ("ffff 0 0 0", None),
            ("81a4 root root 1", None),
            (
                "-rw-r--r-- 1 0 0 286 Nov 22 12:19 /etc/motd",
                Some(("file", 0o644, Some(286))),
            ),
            (
                "-rwsr-xr-x. 1 0 0 1 Nov 22 12:19 /usr/bin/su",
                Some(("file", 0o4755, Some(1))),
            ),
            (
                "-rwSr-Sr-T+ 1 0 0 1 Nov 22 12:19 /x",
                Some(("file", 0o7644, Some(1))),
            ),
            (
                "drwxrwxrwt  9 0 0 4096 Nov 22 12:19 /tmp",
                Some(("directory", 0o1777, Some(4096))),
            ),
            (
                "lrwxrwxrwx 1 0 0 7 Nov 22 12:19 /bin -> usr/bin",
                Some(("link", 0o777, Some(7))),
            ),
            (
                "crw-rw-rw- 1 0 0 1, 3 Nov 22 12:19 /dev/null",
                Some(("char", 0o666, None)),
            ),
            (
                "srw-rw-rw-  1 0 0 0 Nov 22 12:19 /run/s",
                Some(("socket", 0o666, Some(0))),
            ),
            (
                "prw-rw----  1 0 0 0 Nov 22 12:19 /run/p",
                Some(("pipe", 0o660, Some(0))),
            ),
            ("?rw-r--r-- 1 0 0 1 x", None),
            ("-rw-r--r-- 1 root root 1 x", None),
            ("-rw", None),
            ("", None),
        ];
        for (line, expected) in table {
            let found = parse_state(line).map(|s| (s.kind, s.mode, s.size));
            assert_eq!(found, *expected, "{line}");
        }
    }

    #[test]
    fn answer_for_many_paths_is_split() {
        let text = "p /a b\np /gone\nn\np /shut/x\nn\np /l\n> to x\np /loop\n!\np /lost\n=here\n\
            81a4 0 0 1 /a b\na1ff 0 0 4 /l\n=gone\n\
            stat: cannot statx '/gone': No such file or directory\n\
            stat: cannot statx '/shut/x': Permission denied\n=there\n8180 0 0 9 /l";
        let all = unpack(text);
        let found: Vec<(&str, &str, i32)> =
            all.iter().map(|(k, p, r)| (*k, p.as_str(), r.rc)).collect();
        let expected = [
            ("file", "/a b", 0),
            ("file", "/gone", 1),
            ("file", "/shut/x", 2),
            ("file", "/l", 0),
            ("link", "/l", 0),
            ("real", "/l", 0),
            ("file", "/loop", 3),
            ("file", "/lost", 3),
        ];
        assert_eq!(found, expected);
        assert_eq!(all[4].2.body.bytes(), b"to x");
        assert_eq!(all[5].2.body.bytes(), b"8180 0 0 9");
    }

    #[test]
    fn unmatched_errors_make_all_paths_unknown() {
        let all = unpack(
            "p /a\nn\np /b\nn\n=here\n=gone\nstat: '/b': No such file or directory\n=there\n",
        );
        assert!(all.iter().all(|(_, _, reading)| reading.rc == 3), "{all:?}");
    }
}
