//! The `login_defs` resource: the settings of shadow's tools.

use std::collections::BTreeMap;

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Subject, Target, absolute};
use crate::phase::Phase;
use crate::resource::filesystem::file::secret;
use crate::resource::ssh::sshd_config_view::request;

pub(crate) static KIND: Kind = Kind {
    name: "login_defs",
    doc: "The settings of login.defs(5), by any name; the last line of a name counts.",
    subject: Subject {
        name: "path",
        doc: "Where they are: /etc/login.defs.",
        words: &[],
        check: readable,
    },
    parameters: &[],
    properties: &[],
    open: Some(Property::new("", Of::Setting, "A setting, such as UMASK.")),
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: include_str!("config_file.sh"),
    requests,
    observe,
};

/// A plain path of a file whose content may be kept.
pub(crate) fn readable(path: &str) -> Result<(), (String, &'static str)> {
    absolute(path)?;
    if secret(path) {
        return Err((
            "it holds password hashes".to_owned(),
            "use the resource `shadow`, or `file` with `content`",
        ));
    }
    Ok(())
}

pub(crate) fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    asked
        .iter()
        .map(|one| request(&one.target.subject))
        .collect()
}

/// `def_load` in lib/getdef.c of shadow: a name, white space, a value that may stand in quotes and goes to the end of the
/// line, a `#` in it included; a name alone is nothing, and the last value counts.
fn settings(text: &str) -> Result<BTreeMap<String, String>, String> {
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

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    setting(target, property, view, settings)
}

/// What a file says of a setting. Each resource reads one and the same file in its own way, so what is kept is kept apart.
pub(crate) fn setting(
    target: &Target,
    name: &str,
    view: &View<'_>,
    read: fn(&str) -> Result<BTreeMap<String, String>, String>,
) -> Observed {
    let path = &target.subject;
    directory(target, view).unwrap_or_else(|| {
        let text = view.parsed("config", path, |text| Ok(text.to_owned()));
        text.and_then(|text| view.memoized(&target.kind, path, || read(&text)))
            .observe("does not exist", |settings| {
                settings.get(name).map_or_else(
                    || Observed::Missing(format!("is not set in {path}")),
                    |value| Observed::setting(value.clone()),
                )
            })
    })
}

/// What is said of a directory where a file should be.
pub(crate) fn directory(target: &Target, view: &View<'_>) -> Option<Observed> {
    let is = view
        .raw("config", &target.subject)
        .is_some_and(|reading| reading.flags.contains('d'));
    is.then(|| Observed::Unknown(format!("{} is a directory", target.subject)))
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines, refusal};

    fn told(yaml: &str, rc: i32, text: &str) -> String {
        lines(
            &format!("- {{login_defs: /etc/login.defs, {yaml}}}"),
            &[IDENTITY, ("config", "/etc/login.defs", rc, "-", text)],
        )
        .join("")
    }

    #[test]
    fn settings_are_read_as_shadow_reads_them() {
        let text = "# UMASK 000\r\nUMASK\t\t022\nENV_PATH \"PATH=/bin\" x\n UMASK 027 \nPASS_MAX_DAYS 60 # days\nALONE\n";
        for yaml in [
            "UMASK: \"027\"",
            "UMASK: {cmp: 27}",
            "ENV_PATH: PATH=/bin",
            "PASS_MAX_DAYS: \"60 # days\"",
            "ALONE: {absent: true}",
        ] {
            assert!(
                told(yaml, 0, text).starts_with("passed"),
                "{yaml}: {}",
                told(yaml, 0, text)
            );
        }
        for yaml in [
            "UMASK: \"022\"",
            "umask: \"027\"",
            "UMASK: {not: \"027\"}",
            "NEVER: {not: x}",
        ] {
            assert!(told(yaml, 0, text).starts_with("failed"), "{yaml}");
        }
    }

    #[test]
    fn what_is_not_there_fails_and_what_may_not_be_read_is_an_error() {
        assert!(told("UMASK: {not: \"022\"}", 1, "").ends_with("but it does not exist"));
        assert!(told("UMASK: {absent: true}", 2, "ls").starts_with("error"));
        assert!(refusal("{login_defs: /etc/shadow, x: y}").contains("hashes"));
    }

    #[test]
    fn one_file_that_two_resources_read_is_read_by_each_in_its_own_way() {
        let both = "- {login_defs: /x, umask: = 027}\n- {auditd_conf: /x, umask: \"027\"}\n- {login_defs: /x, UMASK: {absent: true}}";
        let said = lines(both, &[IDENTITY, ("config", "/x", 0, "-", "umask = 027\n")]);
        assert!(
            said.iter().all(|line| line.starts_with("passed")),
            "{said:?}"
        );
    }
}
