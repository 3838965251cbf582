//! The resources `login_defs` and `auditd_conf`: files with one setting per line.
//!
//! Each file is a preset of one reader.

use std::collections::BTreeMap;

use super::config_file::{check_path, observe_directory, requests};
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{ResourceRef, ResourceType, Subject, ValueType};

/// File of a resource, with its syntax.
struct Preset {
    /// Name of the resource.
    name: &'static str,
    /// Description of the resource.
    doc: &'static str,
    /// Description of the path.
    path: &'static str,
    /// Description of a setting.
    setting: &'static str,
    syntax: Syntax,
}

/// Syntax of a file. The last line with a name counts, and a line that begins with `#` is a
/// comment.
pub(crate) struct Syntax {
    separator: Separator,
    /// True if names are not case-sensitive.
    ignores_case: bool,
}

/// Separator of name and value.
enum Separator {
    /// White space, as in `def_load` of shadow (lib/getdef.c). The value extends to the end of the
    /// line, including `#`, and can be quoted. A name without a value is ignored.
    WhiteSpace,
    /// `=` between spaces, as in `nv_split` of auditd (auditd-config.c). A value and an optional
    /// second word follow. auditd does not start if a line has another form.
    EqualsWord,
    /// `=`, as in os-release(5). The value can be quoted. Other lines are ignored.
    EqualsSign,
}

/// Line that the program refuses.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: not in the form `name = value`, so auditd refuses it")]
struct RefusedLine {
    line: usize,
}

static LOGIN_DEFS_FILE: Preset = Preset {
    name: "login_defs",
    doc: "Settings of login.defs(5) by name. The last line with a name counts.",
    path: "Path of the file: /etc/login.defs.",
    setting: "Setting, such as UMASK.",
    syntax: Syntax {
        separator: Separator::WhiteSpace,
        ignores_case: false,
    },
};

static AUDITD_CONF_FILE: Preset = Preset {
    name: "auditd_conf",
    doc: "Settings of auditd.conf(5) by name. Names are not case-sensitive. The last line with a \
          name counts.",
    path: "Path of the file: /etc/audit/auditd.conf.",
    setting: "Setting, such as max_log_file_action.",
    syntax: Syntax {
        separator: Separator::EqualsWord,
        ignores_case: true,
    },
};

/// Syntax of os-release(5).
pub(crate) static OS_RELEASE: Syntax = Syntax {
    separator: Separator::EqualsSign,
    ignores_case: false,
};

pub(crate) static LOGIN_DEFS: ResourceType = LOGIN_DEFS_FILE
    .resource_type(|target, name, view| observe(&LOGIN_DEFS_FILE, target, name, view));

pub(crate) static AUDITD_CONF: ResourceType = AUDITD_CONF_FILE
    .resource_type(|target, name, view| observe(&AUDITD_CONF_FILE, target, name, view));

impl Preset {
    const fn resource_type(
        &self,
        observe: fn(&ResourceRef, &str, &View<'_>) -> Observation,
    ) -> ResourceType {
        let subject = Subject::new("path", self.path, check_path);
        ResourceType::new(self.name, self.doc, subject, observe)
            .with_open_property(ValueType::Setting, self.setting)
            .with_collection(include_str!("../config_file.sh"), requests)
    }
}

impl Syntax {
    /// Parses the settings of a text.
    ///
    /// # Errors
    /// Returns the first line that the program refuses.
    pub(crate) fn parse(&self, text: &str) -> Result<BTreeMap<String, String>, ReadError> {
        let mut out = BTreeMap::new();
        for (i, line) in text.lines().enumerate() {
            let line = match self.separator {
                Separator::WhiteSpace => line.trim_end().trim_start_matches([' ', '\t']),
                Separator::EqualsSign => line.trim(),
                Separator::EqualsWord => line.trim_matches(' '),
            };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let setting = match self.separator {
                Separator::WhiteSpace => split_at_space(line),
                Separator::EqualsSign => split_at_sign(line),
                Separator::EqualsWord => {
                    let refused = RefusedLine { line: i + 1 };
                    Some(split_at_word(line).ok_or_else(|| ReadError::invalid(refused))?)
                }
            };
            out.extend(setting.map(|(name, value)| (self.normalize_name(name), value)));
        }
        Ok(out)
    }

    fn normalize_name(&self, name: &str) -> String {
        if self.ignores_case {
            name.to_ascii_lowercase()
        } else {
            name.to_owned()
        }
    }
}

fn split_at_space(line: &str) -> Option<(&str, String)> {
    let (name, rest) = line.split_once([' ', '\t'])?;
    let value = rest.trim_start_matches([' ', '"', '\t']);
    Some((name, value.split('"').next().unwrap_or_default().to_owned()))
}

fn split_at_sign(line: &str) -> Option<(&str, String)> {
    let (name, value) = line.split_once('=')?;
    Some((name, value.trim_matches(['"', '\'']).to_owned()))
}

fn split_at_word(line: &str) -> Option<(&str, String)> {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        [name, "=", values @ ..] if matches!(values.len(), 1 | 2) => Some((name, values.join(" "))),
        _ => None,
    }
}

/// Returns a setting of a file. Several resources can parse the same file, so each has its own
/// cache entry.
fn observe(preset: &Preset, target: &ResourceRef, name: &str, view: &View<'_>) -> Observation {
    let path = &target.subject;
    observe_directory(target, view).unwrap_or_else(|| {
        let text = view.parse_reading("config", path, |text| Ok(text.to_owned()));
        text.and_then(|text| view.compute_once(preset.name, path, || preset.syntax.parse(&text)))
            .observe("does not exist", |settings| {
                settings
                    .get(&preset.syntax.normalize_name(name))
                    .map_or_else(
                        || Observation::Missing(format!("is not set in {path}")),
                        |value| Observation::setting(value.clone()),
                    )
            })
    })
}

#[cfg(test)]
mod tests;
