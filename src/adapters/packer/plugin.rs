//! Finds the installed versions of packer-plugin-amazon and compares them with the supported range.

use crate::model::AMAZON_PLUGIN_VERSIONS;
use crate::ports::BuilderError;

/// Returns the versions of packer-plugin-amazon in the output of `packer plugins installed`: one path per line, ending in
/// `packer-plugin-amazon_v1.8.2_x5.0_linux_amd64`.
pub(super) fn amazon_versions(installed: &str) -> Vec<semver::Version> {
    let names = installed.lines().filter_map(|line| {
        line.trim()
            .rsplit('/')
            .next()?
            .strip_prefix("packer-plugin-amazon_v")
    });
    let versions = names.filter_map(|name| semver::Version::parse(name.split('_').next()?).ok());
    versions.collect()
}

/// Checks that a plugin in the supported range is among the installed ones.
pub(super) fn check(found: &[semver::Version]) -> Result<(), BuilderError> {
    let supported = semver::VersionReq::parse(AMAZON_PLUGIN_VERSIONS)
        .is_ok_and(|r| found.iter().any(|v| r.matches(v)));
    if supported {
        return Ok(());
    }
    let found = found
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let found = if found.is_empty() {
        "none is installed".to_owned()
    } else {
        format!("found {found}")
    };
    let hint = "run `packer plugins install github.com/hashicorp/amazon`; offline, download it from \
                https://releases.hashicorp.com/packer-plugin-amazon, unpack it, and run \
                `packer plugins install --path FILE github.com/hashicorp/amazon`";
    Err(BuilderError {
        message: format!("Packer's plugin `amazon` {AMAZON_PLUGIN_VERSIONS} is required: {found}"),
        hint: Some(hint.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_outside_the_range_is_reported_with_what_is_installed() {
        let path = |version: &str| {
            format!(
                "/root/.config/packer/plugins/github.com/hashicorp/amazon/packer-plugin-amazon_v{version}_x5.0_linux_amd64\n"
            )
        };
        let check = |installed: &str| check(&amazon_versions(installed)).map_err(|e| e.message);
        assert_eq!(check(&path("1.8.2")), Ok(()));
        assert_eq!(
            check(&(path("1.1.6") + &path("1.3.7"))),
            Ok(()),
            "one of them is enough"
        );
        let needed = "Packer's plugin `amazon` >= 1.2.0, < 2.0.0 is required";
        assert_eq!(check(""), Err(format!("{needed}: none is installed")));
        let others =
            "/p/github.com/hashicorp/ansible/packer-plugin-ansible_v1.8.2_x5.0_linux_amd64\n";
        assert_eq!(check(others), Err(format!("{needed}: none is installed")));
        assert_eq!(
            check(&(path("1.1.6") + &path("2.0.0"))),
            Err(format!("{needed}: found 1.1.6, 2.0.0"))
        );
    }
}
