//! The `login_defs` resource: the settings of login.defs(5).

use std::collections::BTreeMap;

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::kind::{Kind, Property, RequestedTarget, Subject, Target, ValueType, absolute_path};
use crate::phase::Phase;
use crate::resource::filesystem::file::secret;
use crate::resource::ssh::sshd_config_view::request;

pub(crate) static KIND: Kind = Kind {
    name: "login_defs",
    doc: "Settings of login.defs(5) by name. The last line with a name counts.",
    subject: Subject {
        name: "path",
        doc: "Path of the file: /etc/login.defs.",
        words: &[],
        check: check_path,
    },
    parameters: &[],
    properties: &[],
    open: Some(Property::new(
        "",
        ValueType::Setting,
        "Setting, such as UMASK.",
    )),
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("config_file.sh"),
    requests,
    observe,
};

/// Checks the path of a file whose content may be kept.
pub(crate) fn check_path(path: &str) -> Result<(), (String, &'static str)> {
    absolute_path(path)?;
    if secret(path) {
        return Err((
            "the file contains password hashes".to_owned(),
            "use the resource `shadow`, or `file` with `content`",
        ));
    }
    Ok(())
}

pub(crate) fn requests(asked: &[RequestedTarget<'_>]) -> Vec<String> {
    asked
        .iter()
        .map(|one| request(&one.target.subject))
        .collect()
}

/// Parses lines like `def_load` in lib/getdef.c of shadow.
///
/// A line has a name, white space, and a value up to the end of the line, including `#`. The value
/// can be quoted. A name without a value is ignored, and the last value counts.
fn parse_settings(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut out = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim_end().trim_start_matches([' ', '\t']);
        if line.starts_with('#') {
            continue;
        }
        if let Some((name, rest)) = line.split_once([' ', '\t']) {
            let value = rest.trim_start_matches([' ', '"', '\t']);
            out.insert(
                name.to_owned(),
                value.split('"').next().unwrap_or_default().to_owned(),
            );
        }
    }
    Ok(out)
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observation {
    observe_setting(target, property, view, parse_settings)
}

/// Returns a setting of a file. Several resources can parse the same file, so each has its own
/// cache entry.
pub(crate) fn observe_setting(
    target: &Target,
    name: &str,
    view: &View<'_>,
    read: fn(&str) -> Result<BTreeMap<String, String>, String>,
) -> Observation {
    let path = &target.subject;
    observe_directory(target, view).unwrap_or_else(|| {
        let text = view.parsed("config", path, |text| Ok(text.to_owned()));
        text.and_then(|text| view.memoized(&target.kind, path, || read(&text)))
            .observe("does not exist", |settings| {
                settings.get(name).map_or_else(
                    || Observation::Missing(format!("is not set in {path}")),
                    |value| Observation::setting(value.clone()),
                )
            })
    })
}

/// Returns the observation for a path that is a directory.
pub(crate) fn observe_directory(target: &Target, view: &View<'_>) -> Option<Observation> {
    let is = view
        .raw("config", &target.subject)
        .is_some_and(|reading| reading.flags.contains('d'));
    is.then(|| Observation::Unknown(format!("{} is a directory", target.subject)))
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines, refusal};

    fn judge_check(yaml: &str, rc: i32, text: &str) -> String {
        lines(
            &format!("- {{login_defs: /etc/login.defs, {yaml}}}"),
            &[IDENTITY, ("config", "/etc/login.defs", rc, "-", text)],
        )
        .join("")
    }

    #[test]
    fn settings_are_parsed_like_shadow() {
        let text = "# UMASK 000\r\nUMASK\t\t022\nENV_PATH \"PATH=/bin\" x\n UMASK 027 \n\
            PASS_MAX_DAYS 60 # days\nALONE\n";
        for yaml in [
            "UMASK: \"027\"",
            "UMASK: {cmp: 27}",
            "ENV_PATH: PATH=/bin",
            "PASS_MAX_DAYS: \"60 # days\"",
            "ALONE: {absent: true}",
        ] {
            assert!(
                judge_check(yaml, 0, text).starts_with("passed"),
                "{yaml}: {}",
                judge_check(yaml, 0, text)
            );
        }
        for yaml in [
            "UMASK: \"022\"",
            "umask: \"027\"",
            "UMASK: {not: \"027\"}",
            "NEVER: {not: x}",
        ] {
            assert!(judge_check(yaml, 0, text).starts_with("failed"), "{yaml}");
        }
    }

    #[test]
    fn missing_file_fails_and_unreadable_one_is_error() {
        assert!(judge_check("UMASK: {not: \"022\"}", 1, "").ends_with("but it does not exist"));
        assert!(judge_check("UMASK: {absent: true}", 2, "ls").starts_with("error"));
        assert!(refusal("{login_defs: /etc/shadow, x: y}").contains("hashes"));
    }

    #[test]
    fn two_resources_parse_one_file_separately() {
        let both = "- {login_defs: /x, umask: = 027}\n- {auditd_conf: /x, umask: \"027\"}\n\
            - {login_defs: /x, UMASK: {absent: true}}";
        let verdicts = lines(both, &[IDENTITY, ("config", "/x", 0, "-", "umask = 027\n")]);
        assert!(
            verdicts.iter().all(|line| line.starts_with("passed")),
            "{verdicts:?}"
        );
    }
}
