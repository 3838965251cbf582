//! The `shell_history` resource: history files of interactive programs.

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "shell_history",
    "History files of shells, editors, pagers and clients in the home directories of all \
     accounts. By default, there must be none. An interactive login creates new ones, but \
     checks do not, so both phases can judge them. seal.sh removes the files of all accounts \
     after the build checks.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_properties(&[Property::new(
    "files",
    ValueType::List,
    "Non-empty history files. A link counts unless it points to /dev/null.",
)])
.with_defaults(&["!files"])
.with_collection("", requests);

/// History files outside the top level of a home directory.
const NESTED_FILES: &str = ".local/share/fish/fish_history .local/share/nano/search_history \
    .local/share/recently-used.xbel .local/state/lesshst .local/state/python_history \
    .local/state/bash/history";

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    // `.x_history` is the name for bash, zsh, ash, python, mysql, psql, sqlite, irb, the REPL of
    // node and others.
    vec![format!(
        "below_homes {NESTED_FILES}; walk=$walk$homes; listing histories 1 -name '.?*_history' -o \
            -name .history -o -name .histfile -o -name .lesshst -o -name .viminfo -o -name \
            .wget-hsts -o -name .netrwhist -o -name fish_history -o -name search_history -o -name \
            recently-used.xbel -o -name lesshst -o -name python_history -o -name history"
    )]
}

fn observe(_: &ResourceRef, _: &str, view: &View<'_>) -> Observation {
    walk::filter_paths(view, "histories", walk::Entry::has_content)
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn empty_files_are_not_histories() {
        let judge_check = |text: &str| {
            lines(
                "- {shell_history: all}",
                &[IDENTITY, ("histories", "", 0, "-", text)],
            )
            .join("")
        };
        assert_eq!(
            judge_check("find: './nonexistent': No such file or directory\n!1\n"),
            "passed  shell_history:all"
        );
        let dull = "-rw------- 1 0 0 0 Jan  1 12:00 ./root/.bash_history\n\
            lrwxrwxrwx 1 0 0 9 Jan  1 12:00 ./root/.lesshst -> /dev/null\n\
            drwxr-xr-x 1 0 0 9 Jan  1 12:00 ./root/.history\n";
        assert_eq!(judge_check(dull), "passed  shell_history:all");
        let line = judge_check("-rw------- 1 0 0 5 Jan  1 12:00 ./root/.bash_history\n");
        assert_eq!(
            line,
            "failed  shell_history:all  files: expected empty, actual \"/root/.bash_history\""
        );
        assert!(
            judge_check("find: './root': Permission denied\n").starts_with("error"),
            "an unreadable home is an error"
        );
        assert!(lines("- {shell_history: all}", &[IDENTITY])[0].starts_with("error"));
    }
}
