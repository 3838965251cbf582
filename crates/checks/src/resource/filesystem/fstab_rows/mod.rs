//! Parses the mounts at boot: entries of fstab(5), and systemd mount units with drop-ins.

use crate::facts::error::ReadError;
use crate::facts::view::{Parsed, View};
use crate::resource::config::drop_in::{DropInFiles, FileState, join_continuations};

/// Entry of fstab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FstabEntry {
    pub(super) device: String,
    pub(super) at: String,
    pub(super) fstype: String,
    pub(super) options: Vec<String>,
    pub(super) pass: String,
}

/// Collected files that configure mounts at boot.
pub(super) struct Files {
    /// Entries of fstab in order.
    pub(super) rows: Result<Vec<FstabEntry>, ReadError>,
    texts: DropInFiles,
}

/// Configured mount.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConfiguredMount {
    /// True if it is mounted at boot.
    pub(super) at_boot: bool,
    /// File that configures it, or the reason why it is not mounted at boot.
    pub(super) how: String,
    pub(super) options: Vec<String>,
}

/// Mount point with several entries in fstab.
#[derive(Debug, thiserror::Error)]
#[error("/etc/fstab has more than one entry for {0}")]
struct DuplicateEntry(String);

/// Directories of units in order of precedence (systemd.unit(5)). The generator for fstab comes
/// after the first two.
const UNITS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Returns the files, parsed once.
pub(super) fn load_files(view: &View<'_>) -> Parsed<Files> {
    view.parse_reading("mount-files", "", |text| {
        let texts = DropInFiles::parse(text)?;
        let rows = match texts.file("/etc/fstab") {
            Some(FileState::Lines(lines)) => parse_rows(lines),
            Some(FileState::Denied) => Err(ReadError::permission_denied("/etc/fstab")),
            _ => Ok(Vec::new()),
        };
        Ok(Files { rows, texts })
    })
}

fn parse_rows(lines: &[String]) -> Result<Vec<FstabEntry>, ReadError> {
    let mut out = Vec::new();
    for line in lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [device, at, fstype, rest @ ..] = words.as_slice() else {
            return Err(ReadError::unknown_line("a line in /etc/fstab", line));
        };
        let at = decode_escapes(at);
        let at = if at.len() > 1 {
            at.trim_end_matches('/').to_owned()
        } else {
            at
        };
        let options = rest
            .first()
            .copied()
            .unwrap_or("defaults")
            .split(',')
            .map(str::to_owned);
        let pass = rest.get(2).copied().unwrap_or("0").to_owned();
        out.push(FstabEntry {
            device: decode_escapes(device),
            at,
            fstype: (*fstype).to_owned(),
            options: effective_options(options),
            pass,
        });
    }
    Ok(out)
}

/// Decodes octal escapes of space, tab, line feed and backslash.
pub(super) fn decode_escapes(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Returns the options without those that a later one overrides. mount(8) applies them in order.
fn effective_options(options: impl Iterator<Item = String>) -> Vec<String> {
    const PAIRS: [(&str, &str); 5] = [
        ("exec", "noexec"),
        ("suid", "nosuid"),
        ("dev", "nodev"),
        ("rw", "ro"),
        ("auto", "noauto"),
    ];
    let mut out: Vec<String> = Vec::new();
    for option in options
        .map(|o| o.trim().to_owned())
        .filter(|o| !o.is_empty())
    {
        if let Some((a, b)) = PAIRS.iter().find(|(a, b)| option == *a || option == *b) {
            out.retain(|known| known != a && known != b);
        }
        out.push(option);
    }
    out
}

impl Files {
    /// Returns the configuration of a mount point, if any.
    ///
    /// # Errors
    /// Returns an error if a file is unreadable, or if fstab has two entries for the mount point.
    pub(super) fn configured_mount(
        &self,
        path: &str,
    ) -> Result<Option<ConfiguredMount>, ReadError> {
        let unit = format!("{}.mount", escape_path(path));
        let find_unit = |dirs: &[&str]| {
            let mut paths = dirs.iter().map(|dir| format!("{dir}/{unit}"));
            paths.find_map(|path| self.texts.file(&path).map(|text| (path.clone(), text)))
        };
        let rows = self.rows.as_ref().map_err(Clone::clone)?;
        let mut entries = rows.iter().filter(|row| row.at == path);
        if let Some(unreadable) = UNITS
            .iter()
            .find(|dir| self.texts.file(dir) == Some(&FileState::Denied))
        {
            return Err(ReadError::permission_denied(unreadable));
        }
        let mut mount = match (find_unit(&UNITS[..2]), entries.next()) {
            (Some((file, text)), _) => self.parse_unit(&unit, &file, text)?,
            (None, Some(row)) if entries.next().is_none() => {
                let noauto = row.options.iter().any(|o| o == "noauto");
                let on_use = row.options.iter().any(|o| o == "x-systemd.automount");
                let how = if noauto {
                    "noauto in /etc/fstab"
                } else {
                    "/etc/fstab"
                };
                ConfiguredMount {
                    at_boot: !noauto || on_use,
                    how: how.to_owned(),
                    options: row.options.clone(),
                }
            }
            (None, Some(_)) => {
                return Err(ReadError::invalid(DuplicateEntry(path.to_owned())));
            }
            (None, None) => match find_unit(&UNITS[2..]) {
                Some((file, text)) => self.parse_unit(&unit, &file, text)?,
                None => return Ok(None),
            },
        };
        if let Some(options) = self.drop_in_options(&unit)? {
            mount.options = options;
        }
        Ok(Some(mount))
    }

    fn parse_unit(
        &self,
        unit: &str,
        file: &str,
        text: &FileState,
    ) -> Result<ConfiguredMount, ReadError> {
        let lines = match text {
            FileState::Lines(lines) => lines,
            FileState::Denied => return Err(ReadError::permission_denied(file)),
            _ => {
                return Ok(ConfiguredMount {
                    at_boot: false,
                    how: format!("masked by {file}"),
                    options: Vec::new(),
                });
            }
        };
        let wanted = self.texts.wanted.contains(unit);
        let how = if wanted {
            file.to_owned()
        } else {
            format!("no unit wants {file}")
        };
        Ok(ConfiguredMount {
            at_boot: wanted,
            how,
            options: unit_options(lines).unwrap_or_default(),
        })
    }

    /// Returns the options that drop-ins of a unit set; none if they set none.
    fn drop_in_options(&self, unit: &str) -> Result<Option<Vec<String>>, ReadError> {
        let folder = format!("/{unit}.d/");
        let of_unit = self.texts.files.iter().filter(|(path, _)| {
            path.contains(&folder) || path.ends_with(folder.trim_end_matches('/'))
        });
        let drop_ins = DropInFiles {
            files: of_unit.cloned().collect(),
            ..DropInFiles::default()
        };
        let merged = drop_ins.effective_files(".conf")?;
        Ok(merged
            .iter()
            .filter_map(|(_, lines)| unit_options(lines))
            .next_back())
    }
}

/// Returns the last `Options=` of the section `[Mount]`.
fn unit_options(lines: &[String]) -> Option<Vec<String>> {
    let (mut inside, mut out) = (false, None);
    for line in join_continuations(lines) {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[Mount]";
        } else if let (true, Some((key, value))) = (inside, line.split_once('='))
            && key.trim() == "Options"
        {
            out = Some(effective_options(value.split(',').map(str::to_owned)));
        }
    }
    out
}

/// Escapes a path for a unit name (systemd.unit(5)).
fn escape_path(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return "-".to_owned();
    }
    let mut out = String::new();
    for (i, byte) in path.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if i > 0 => out.push('.'),
            b':' | b'_' => out.push(char::from(byte)),
            b if b.is_ascii_alphanumeric() => out.push(char::from(b)),
            b => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests;
