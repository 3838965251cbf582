//! Defines the arguments of `permissions`.

use clap::{Args, ValueEnum};

/// Purpose of the roles whose permissions are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PermissionRole {
    /// Commands that change nothing: plan, why, list, latest, explain, diff, and previews.
    Read,
    /// release, preflight, probe, check, and diff --against.
    Build,
    /// promote, rollback, hold, revoke, unlock, and doctor --apply.
    Promote,
    /// prune, restore, retire and sweep, with --apply.
    Prune,
    /// Each of these roles.
    All,
}

/// Output format of the permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PermissionFormat {
    /// A table of the actions, with the reason for each.
    List,
    /// The policies of each role as JSON.
    Iam,
    /// The trust policy of each role as JSON.
    Trust,
    /// A CloudFormation template with the roles.
    Cloudformation,
}

/// Arguments of `permissions`.
#[derive(Debug, Args)]
pub struct Permissions {
    /// Purpose of the roles.
    #[arg(long, value_enum, default_value_t = PermissionRole::All)]
    pub role: PermissionRole,
    /// Output format.
    #[arg(long, value_enum, default_value_t = PermissionFormat::List)]
    pub format: PermissionFormat,
    /// Print the list as JSON, with the resources of each action.
    #[arg(long)]
    pub json: bool,
    /// ID of the account in which images are built [default: `account` in bakeline.yaml]. Trust
    /// policies contain it.
    #[arg(long, value_name = "ID", value_parser = parse_account)]
    pub account: Option<String>,
    /// GitLab project whose CI jobs assume the roles.
    #[arg(long, value_name = "GROUP/PROJECT", value_parser = parse_project)]
    pub gitlab_project: Option<String>,
    /// Host name of GitLab.
    #[arg(long, value_name = "HOST", default_value = "gitlab.com", value_parser = parse_host)]
    pub gitlab_host: String,
    /// Protected branch whose CI jobs may change resources.
    #[arg(long = "ref", value_name = "BRANCH", default_value = "main", value_parser = parse_branch)]
    pub branch: String,
    /// Audience of the ID tokens (`aud` in `id_tokens`) [default: https://HOST].
    #[arg(long, value_name = "URL")]
    pub audience: Option<String>,
}

fn parse_account(text: &str) -> Result<String, String> {
    let is_account = text.len() == 12 && text.chars().all(|c| c.is_ascii_digit());
    check(text, is_account, "use the 12 digits of an account ID")
}

fn parse_project(text: &str) -> Result<String, String> {
    let part = |p: &str| !p.is_empty() && p.chars().all(|c| is_word(c, "_.-"));
    let is_path = text.contains('/') && text.split('/').all(part);
    check(
        text,
        is_path,
        "use the path of a project such as `group/project`",
    )
}

fn parse_host(text: &str) -> Result<String, String> {
    let is_host = !text.is_empty() && text.chars().all(|c| is_word(c, ".-"));
    check(text, is_host, "use a host name such as `gitlab.com`")
}

/// Parses a branch. Wildcards would let jobs of other branches assume the roles.
fn parse_branch(text: &str) -> Result<String, String> {
    let is_branch = !text.is_empty() && text.chars().all(|c| is_word(c, "_./+@-"));
    check(
        text,
        is_branch,
        "use the name of a branch, without wildcards",
    )
}

fn is_word(c: char, more: &str) -> bool {
    c.is_ascii_alphanumeric() || more.contains(c)
}

fn check(text: &str, is_valid: bool, advice: &str) -> Result<String, String> {
    if is_valid {
        Ok(text.to_owned())
    } else {
        Err(advice.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_foreign_characters_are_refused() {
        for text in ["group/*", "project", "a//b", "a/b?", "", "a/b:ref"] {
            assert!(parse_project(text).is_err(), "{text}");
        }
        for text in ["*", "rel-?", "a b", ""] {
            assert!(parse_branch(text).is_err(), "{text}");
        }
        assert!(parse_project("group/sub/project").is_ok());
        assert!(parse_branch("release/1.x").is_ok());
        assert!(parse_account("12345678901a").is_err());
        assert!(parse_host("gitlab.example.com/x").is_err());
    }
}
