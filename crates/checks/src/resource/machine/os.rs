//! The `os` resource: which operating system it is, by os-release(5).

use std::collections::BTreeMap;

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Target, words};
use crate::matcher::value::Value;
use crate::phase::Phase;

pub(crate) static KIND: Kind = Kind {
    name: "os",
    doc: "Which operating system it is; mostly asked in `when`, as `os.name`.",
    subject: words("name", "The system itself: `this`.", &["this"]),
    parameters: &[],
    properties: &[
        Property::new("name", Of::Setting, "`ID` of os-release, such as debian."),
        Property::new(
            "family",
            Of::List,
            "The name and those that it is like, such as ubuntu and debian.",
        ),
        Property::new(
            "version",
            Of::Version,
            "`VERSION_ID`, such as 12; absent in a version that is in the making.",
        )
        .or(&["release"]),
        Property::new(
            "codename",
            Of::Setting,
            "`VERSION_CODENAME`, such as bookworm.",
        ),
    ],
    open: None,
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: "",
    requests,
    observe,
};

/// It is in the base set.
fn requests(_: &[Asked<'_>]) -> Vec<String> {
    Vec::new()
}

/// `KEY=value` lines with or without quotes.
pub(crate) fn fields(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (key, value) = line.trim().split_once('=')?;
        let plain = value.trim_matches(|c| c == '"' || c == '\'');
        (!key.starts_with('#')).then(|| (key.to_owned(), plain.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

fn observe(_: &Target, property: &str, view: &View<'_>) -> Observed {
    view.parsed("os-release", "", |text| Ok(fields(text)))
        .observe("has no os-release", |fields| {
            let field = |key: &str| match fields.get(key) {
                Some(value) => Observed::setting(value.clone()),
                None => Observed::Missing(format!("has no {key} in os-release")),
            };
            match property {
                "name" => field("ID"),
                "version" => match fields.get("VERSION_ID") {
                    Some(version) => Observed::Value(Value::Version(version.clone())),
                    None => field("VERSION_ID"),
                },
                "codename" => field("VERSION_CODENAME"),
                _ => {
                    let words = [fields.get("ID"), fields.get("ID_LIKE")]
                        .into_iter()
                        .flatten();
                    Observed::list(words.flat_map(|w| w.split_whitespace()).map(str::to_owned))
                }
            }
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn the_system_is_known_by_os_release() {
        let text = "# x\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n";
        let frames = [IDENTITY, ("os-release", "", 0, "-", text)];
        let told = |yaml: &str| lines(&format!("- {yaml}"), &frames).join("");
        assert_eq!(
            told(
                "{os: this, name: ubuntu, family: {include: debian}, version: {at_least: \"22\"}}"
            ),
            "passed  os:this"
        );
        assert_eq!(
            told("{os: this, codename: {absent: true}}"),
            "passed  os:this"
        );
        assert!(told("{os: this, name: debian}").starts_with("failed"));
        assert_eq!(
            told("{file: /x, when: os.name == \"debian\"}"),
            "skipped file:/x  the condition does not hold: os.name == \"debian\""
        );
        assert!(lines("- {os: this, name: debian}", &[IDENTITY])[0].starts_with("error"));
    }
}
