//! The `histories` resource: what programs keep of what people did.

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Target, words};
use crate::phase::Phase;

use crate::resource::filesystem::walk;

pub(crate) static KIND: Kind = Kind {
    name: "histories",
    doc: "Histories of shells, editors, pagers and clients in the home directories of all accounts; with nothing else: there \
          are none. A login of a person makes new ones, checks don't, so both phases can judge it; seal.sh removes \
          those of root and of /home after the checks of the build.",
    subject: words("scope", "All accounts: `all`.", &["all"]),
    parameters: &[],
    properties: &[Property::new(
        "files",
        Of::List,
        "The files that have something in them; a link counts unless it leads to /dev/null.",
    )],
    open: None,
    by_default: &["!files"],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: "",
    requests,
    observe,
};

/// Where newer programs keep theirs.
const DEEPER: &str = ".local/share/fish/fish_history .local/share/nano/search_history .local/share/recently-used.xbel \
                      .local/state/lesshst .local/state/python_history .local/state/bash/history";

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    // `.x_history` are those of bash, zsh, ash, python, mysql, psql, sqlite, irb, node's REPL and their like.
    vec![format!(
        "below_homes {DEEPER}; walk=$walk$homes; listing histories 1 -name '.?*_history' -o -name .history -o -name .histfile -o -name .lesshst \
         -o -name .viminfo -o -name .wget-hsts -o -name .netrwhist -o -name fish_history -o -name search_history \
         -o -name recently-used.xbel -o -name lesshst -o -name python_history -o -name history"
    )]
}

fn observe(_: &Target, _: &str, view: &View<'_>) -> Observed {
    walk::paths(view, "histories", walk::Entry::filled)
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn only_what_has_something_in_it_is_a_history() {
        let told = |text: &str| {
            lines(
                "- {histories: all}",
                &[IDENTITY, ("histories", "", 0, "-", text)],
            )
            .join("")
        };
        assert_eq!(
            told("find: './nonexistent': No such file or directory\n!1\n"),
            "passed  histories:all"
        );
        let dull = "-rw------- 1 0 0 0 Jan  1 12:00 ./root/.bash_history\n\
            lrwxrwxrwx 1 0 0 9 Jan  1 12:00 ./root/.lesshst -> /dev/null\ndrwxr-xr-x 1 0 0 9 Jan  1 12:00 ./root/.history\n";
        assert_eq!(told(dull), "passed  histories:all");
        let line = told("-rw------- 1 0 0 5 Jan  1 12:00 ./root/.bash_history\n");
        assert_eq!(
            line,
            "failed  histories:all  files: expected empty, actual \"/root/.bash_history\""
        );
        assert!(
            told("find: './root': Permission denied\n").starts_with("error"),
            "what was not seen"
        );
        assert!(lines("- {histories: all}", &[IDENTITY])[0].starts_with("error"));
    }
}
