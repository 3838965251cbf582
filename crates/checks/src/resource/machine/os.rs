//! The `os` resource: the operating system by os-release(5).

use crate::facts::Read;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource::config::key_value::OS_RELEASE;
use crate::resource_type::{Property, ResourceRef, ResourceType, Subject, ValueType};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "os",
    "Operating system. Usually used in `when`, as `os.name`.",
    Subject::one_of("name", "Always `this`.", &["this"]),
    observe,
)
.with_properties(&[
    Property::new(
        "name",
        ValueType::Setting,
        "`ID` of os-release, such as debian.",
    ),
    Property::new(
        "family",
        ValueType::List,
        "`ID` and `ID_LIKE`, such as ubuntu and debian.",
    ),
    Property::new(
        "version",
        ValueType::Version,
        "`VERSION_ID`, such as 12. Absent in a development version.",
    )
    .or(&["release"]),
    Property::new(
        "codename",
        ValueType::Setting,
        "`VERSION_CODENAME`, such as bookworm.",
    ),
]);

/// Returns true for Fedora and the systems that are derived from it, such as RHEL and Amazon Linux.
/// Unknown systems are not.
pub(crate) fn is_red_hat(view: &View<'_>) -> bool {
    let parsed = view.parse_reading("os-release", "", |text| OS_RELEASE.parse(text));
    let Read::Present(fields) = parsed else {
        return false;
    };
    ["ID", "ID_LIKE"]
        .iter()
        .filter_map(|key| fields.get(*key))
        .flat_map(|words| words.split_whitespace())
        .any(|word| ["fedora", "rhel", "centos", "amzn"].contains(&word))
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    view.parse_reading("os-release", "", |text| OS_RELEASE.parse(text))
        .observe("has no os-release", |fields| {
            let field = |key: &str| match fields.get(key) {
                Some(value) => Observation::setting(value.clone()),
                None => Observation::Missing(format!("has no {key} in os-release")),
            };
            match property {
                "name" => field("ID"),
                "version" => match fields.get("VERSION_ID") {
                    Some(version) => Observation::Value(Value::Version(version.clone())),
                    None => field("VERSION_ID"),
                },
                "codename" => field("VERSION_CODENAME"),
                _ => {
                    let words = [fields.get("ID"), fields.get("ID_LIKE")]
                        .into_iter()
                        .flatten();
                    Observation::list(words.flat_map(|w| w.split_whitespace()).map(str::to_owned))
                }
            }
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn os_release_identifies_the_system() {
        let text = "# x\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n";
        let frames = [IDENTITY, ("os-release", "", 0, "-", text)];
        let judge_check = |yaml: &str| lines(&format!("- {yaml}"), &frames).join("");
        assert_eq!(
            judge_check(
                "{os: this, name: ubuntu, family: {include: debian}, version: {at_least: \"22\"}}"
            ),
            "passed  os:this"
        );
        assert_eq!(
            judge_check("{os: this, codename: {absent: true}}"),
            "passed  os:this"
        );
        assert!(judge_check("{os: this, name: debian}").starts_with("failed"));
        assert_eq!(
            judge_check("{file: /x, when: os.name == \"debian\"}"),
            "skipped file:/x  the condition does not hold: os.name == \"debian\""
        );
        assert!(lines("- {os: this, name: debian}", &[IDENTITY])[0].starts_with("error"));
    }
}
