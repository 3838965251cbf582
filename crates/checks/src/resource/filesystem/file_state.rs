//! Owns what facts say about the state of files, from the collector's two ways of asking: one `stat` for many, and `ls`.

use std::collections::HashMap;

use crate::facts::blob::Blob;
use crate::facts::{Facts, Read, Reading};
use crate::text::brief;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFact {
    /// What is there, a link not followed.
    pub entry: Read<Stat>,
    /// What a link says.
    pub link_target: Option<String>,
    /// What a link leads to.
    pub target: Option<Read<Stat>>,
}

impl FileFact {
    /// What is there in the end, links followed.
    pub(crate) fn followed(&self) -> &Read<Stat> {
        self.target.as_ref().unwrap_or(&self.entry)
    }
}

/// The state of an inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// One of the words of the `type` property.
    pub kind: &'static str,
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Bytes; none for a device.
    pub size: Option<u64>,
}

/// Everything that facts say about a path; none if it was not asked for.
pub(crate) fn fact(facts: &Facts, path: &str) -> Option<FileFact> {
    let link = facts
        .reading("link", path)
        .map(|r| String::from_utf8_lossy(r.body.bytes()).into_owned());
    let entry = read(facts.reading("file", path)?);
    Some(FileFact {
        entry,
        link_target: link,
        target: facts.reading("real", path).map(read),
    })
}

fn read(reading: &Reading) -> Read<Stat> {
    match reading.rc {
        0 => stat(&String::from_utf8_lossy(reading.body.bytes())).map_or_else(
            || Read::Unreadable("`stat` or `ls` answered in an unknown form".to_owned()),
            Read::Present,
        ),
        1 => Read::Absent,
        2 => Read::Unreadable("permission denied".to_owned()),
        _ => Read::Unreadable(brief(reading.body.bytes())),
    }
}

/// A line in either form.
pub(crate) fn stat(line: &str) -> Option<Stat> {
    let words: Vec<&str> = line.split_ascii_whitespace().take(5).collect();
    match words.as_slice() {
        [raw, uid, gid, size] => raw_stat(raw, uid, gid, size),
        [perms, _links, uid, gid, size] => listed(perms, uid, gid, size),
        _ => None,
    }
}

/// `stat -c '%f %u %g %s'`, as GNU coreutils and busybox have it: st_mode in hex, owner, group, size. The types are those of
/// inode(7).
fn raw_stat(raw: &str, uid: &str, gid: &str, size: &str) -> Option<Stat> {
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

/// A line of `ls -ldn`: `-rwsr-xr-x 1 0 0 1234 date path`; POSIX fixes these columns and lets one character follow the
/// permissions. A device has `major, minor` for its size.
fn listed(perms: &str, uid: &str, gid: &str, size: &str) -> Option<Stat> {
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
    let mode = mode(perms.get(1..10)?)?;
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

fn mode(letters: &str) -> Option<u32> {
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

/// One path of an answer for many.
#[derive(Default)]
struct Entry<'t> {
    path: &'t str,
    /// Its name for `stat`, where that is another.
    at: Option<&'t str>,
    gone: bool,
    looped: bool,
    link: Option<&'t str>,
    /// The name of what the link leads to, where that is another.
    leads: Option<&'t str>,
}

/// The readings `file`, `link` and `real` of an answer for many paths, with the path of each (see `states` in file.sh).
pub(crate) fn unpack(text: &str) -> Vec<(&'static str, String, Reading)> {
    let (mut entries, mut here, mut gone, mut there) = (
        Vec::<Entry<'_>>::new(),
        HashMap::new(),
        vec![],
        HashMap::new(),
    );
    let mut part = "";
    for line in text.lines() {
        match (part, line) {
            (_, "=here" | "=gone" | "=there") => part = line,
            ("", _) => entry(line, &mut entries),
            ("=gone", _) => gone.push(line),
            (_, _) => {
                let cut = line
                    .match_indices(' ')
                    .nth(3)
                    .map(|(at, _)| line.split_at(at));
                let into = if part == "=here" {
                    &mut here
                } else {
                    &mut there
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
            "it changed while it was looked at, or `stat` is of another kind",
        ),
    };
    let told = gone.len() == entries.iter().filter(|e| e.gone).count();
    let mut errors = gone.into_iter();
    let mut out = Vec::new();
    for one in entries {
        let name = one.at.unwrap_or(one.path);
        let file = if one.looped {
            reading(3, "too many levels of symbolic links")
        } else if one.gone {
            match errors.next() {
                Some(error) if told => reading(failure(error), error),
                _ => state(&HashMap::new(), name),
            }
        } else {
            state(&here, name)
        };
        out.push(("file", one.path.to_owned(), file));
        if let Some(to) = one.link {
            out.push(("link", one.path.to_owned(), reading(0, to)));
            out.push((
                "real",
                one.path.to_owned(),
                state(&there, one.leads.unwrap_or(one.path)),
            ));
        }
    }
    out
}

fn entry<'t>(line: &'t str, entries: &mut Vec<Entry<'t>>) {
    if let Some(path) = line.strip_prefix("p ") {
        entries.push(Entry {
            path,
            ..Entry::default()
        });
        return;
    }
    let Some(last) = entries.last_mut() else {
        return;
    };
    match line.split_at_checked(1) {
        Some(("n", "")) => last.gone = true,
        Some(("!", "")) => last.looped = true,
        Some(("@", at)) => last.at = at.get(1..),
        Some((">", to)) => last.link = to.get(1..),
        Some((")", at)) => last.leads = at.get(1..),
        _ => {}
    }
}

/// What an error of `stat` means.
fn failure(error: &str) -> i32 {
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
    fn lines_of_stat_and_ls() {
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
            let found = stat(line).map(|s| (s.kind, s.mode, s.size));
            assert_eq!(found, *expected, "{line}");
        }
    }

    #[test]
    fn an_answer_for_many_is_taken_apart() {
        let text = "p /a b\np /gone\nn\np /shut/x\nn\np /l\n> to x\np /loop\n!\np /lost\n\
            =here\n81a4 0 0 1 /a b\na1ff 0 0 4 /l\n=gone\nstat: cannot statx '/gone': No such file or directory\n\
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
    fn errors_that_do_not_fit_are_nobodys() {
        let all = unpack(
            "p /a\nn\np /b\nn\n=here\n=gone\nstat: '/b': No such file or directory\n=there\n",
        );
        assert!(all.iter().all(|(_, _, reading)| reading.rc == 3), "{all:?}");
    }
}
