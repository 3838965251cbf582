//! Compares the installed versions of Packer and packer-plugin-amazon with the supported and tested
//! ranges.

use semver::Version;

use crate::model::AMAZON_PLUGIN_VERSIONS;
use crate::ports::BuilderError;

/// Oldest and newest tested versions of Packer. docs/reference/packer.md lists all.
const TESTED_PACKER: (Version, Version) = (Version::new(1, 6, 6), Version::new(1, 16, 0));
/// Oldest and newest tested versions of packer-plugin-amazon.
const TESTED_PLUGIN: (Version, Version) = (Version::new(1, 8, 2), Version::new(1, 8, 2));

/// Returns the warning for a version of Packer that was not tested.
pub(super) fn packer_warning(found: &Version) -> Option<String> {
    untested_warning("Packer", found, &TESTED_PACKER)
}

/// Returns the warning for a version of packer-plugin-amazon that was not tested.
pub(super) fn plugin_warning(found: &Version) -> Option<String> {
    untested_warning("packer-plugin-amazon", found, &TESTED_PLUGIN)
}

fn untested_warning(name: &str, found: &Version, tested: &(Version, Version)) -> Option<String> {
    let (oldest, newest) = tested;
    if (oldest..=newest).contains(&found) {
        return None;
    }
    let range = if oldest == newest {
        newest.to_string()
    } else {
        format!("{oldest} to {newest}")
    };
    Some(format!(
        "{name} {found} has not been tested with this version of bakeline; tested: {range} (see the page Packer of the documentation)"
    ))
}

/// Returns the versions of packer-plugin-amazon in the output of `packer plugins installed`: one path
/// per line, ending in `packer-plugin-amazon_v1.8.2_x5.0_linux_amd64`.
pub(super) fn amazon_versions(installed: &str) -> Vec<Version> {
    let names = installed.lines().filter_map(|line| {
        line.trim()
            .rsplit('/')
            .next()?
            .strip_prefix("packer-plugin-amazon_v")
    });
    let versions = names.filter_map(|name| Version::parse(name.split('_').next()?).ok());
    versions.collect()
}

/// Returns the newest supported version among the installed ones, which Packer uses. `folder` is the
/// value of PACKER_PLUGIN_PATH: if it is set, Packer uses no other folder.
pub(super) fn choose_version(
    found: &[Version],
    folder: Option<&str>,
) -> Result<Version, BuilderError> {
    let supported = semver::VersionReq::parse(AMAZON_PLUGIN_VERSIONS).unwrap_or_default();
    if let Some(newest) = found.iter().filter(|v| supported.matches(v)).max() {
        return Ok(newest.clone());
    }
    let installed = if found.is_empty() {
        "none is installed".to_owned()
    } else {
        let list: Vec<String> = found.iter().map(ToString::to_string).collect();
        format!("found {}", list.join(", "))
    };
    let place = folder.map_or_else(String::new, |folder| {
        format!(" in PACKER_PLUGIN_PATH, `{folder}`")
    });
    let version = &TESTED_PLUGIN.1;
    let hint = format!(
        "run `packer plugins install github.com/hashicorp/amazon {version}`; offline, download it from \
         https://releases.hashicorp.com/packer-plugin-amazon/{version}/, unpack it, and run \
         `packer plugins install --path FILE github.com/hashicorp/amazon`"
    );
    Err(BuilderError {
        message: format!(
            "Packer's plugin `amazon` {AMAZON_PLUGIN_VERSIONS} is required: {installed}{place}"
        ),
        hint: Some(hint),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(versions: &[&str]) -> String {
        let path = |version: &&str| {
            format!(
                "/root/.config/packer/plugins/github.com/hashicorp/amazon/packer-plugin-amazon_v{version}_x5.0_linux_amd64\n"
            )
        };
        versions.iter().map(path).collect()
    }

    #[test]
    fn plugin_outside_the_range_is_reported_with_installed_versions() {
        let choose = |text: &str, folder| {
            let chosen = choose_version(&amazon_versions(text), folder);
            chosen.map(|v| v.to_string()).map_err(|e| e.message)
        };
        assert_eq!(choose(&installed(&["1.8.2"]), None), Ok("1.8.2".to_owned()));
        assert_eq!(
            choose(&installed(&["1.1.6", "1.3.7", "1.2.9", "2.0.0"]), None),
            Ok("1.3.7".to_owned()),
            "Packer uses the newest supported version"
        );
        let needed = "Packer's plugin `amazon` >= 1.2.0, < 2.0.0 is required";
        assert_eq!(
            choose("", None),
            Err(format!("{needed}: none is installed"))
        );
        let others =
            "/p/github.com/hashicorp/ansible/packer-plugin-ansible_v1.8.2_x5.0_linux_amd64\n";
        assert_eq!(
            choose(others, Some("/p")),
            Err(format!(
                "{needed}: none is installed in PACKER_PLUGIN_PATH, `/p`"
            ))
        );
        assert_eq!(
            choose(&installed(&["1.1.6", "2.0.0"]), None),
            Err(format!("{needed}: found 1.1.6, 2.0.0"))
        );
    }

    #[test]
    fn versions_outside_the_tested_range_cause_a_warning() {
        assert_eq!(packer_warning(&Version::new(1, 6, 6)), None);
        assert_eq!(packer_warning(&Version::new(1, 16, 0)), None);
        assert_eq!(plugin_warning(&Version::new(1, 8, 2)), None);
        let warning = packer_warning(&Version::new(1, 17, 0)).expect("a warning");
        assert!(warning.contains("1.17.0") && warning.contains("1.6.6 to 1.16.0"));
        let warning = plugin_warning(&Version::new(1, 3, 7)).expect("a warning");
        assert!(warning.contains("1.3.7") && warning.contains("tested: 1.8.2"));
    }

    #[test]
    fn documentation_lists_the_tested_versions() {
        let table = include_str!("../../../docs/reference/packer.md");
        for version in [
            &TESTED_PACKER.0,
            &TESTED_PACKER.1,
            &TESTED_PLUGIN.0,
            &TESTED_PLUGIN.1,
        ] {
            let cell = format!("| {version} |");
            assert!(
                table.contains(&cell),
                "docs/reference/packer.md has no row with {cell}"
            );
        }
        assert!(table.contains(AMAZON_PLUGIN_VERSIONS));
    }
}
