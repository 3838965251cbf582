//! Evaluates PATH assignments in shell profiles. Understands plain assignments, and conditions on a
//! login of root.

use crate::facts::error::ReadError;
use crate::text::truncate_for_display;

/// Statement of a profile after which PATH is unknown.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}: {}", truncate_for_display(.statement.as_bytes()))]
pub(super) struct ProfileError {
    file: String,
    statement: String,
    reason: UnknownPath,
}

/// Reason why PATH is unknown.
#[derive(Debug, thiserror::Error)]
enum UnknownPath {
    #[error("a condition at run time decides the value of PATH")]
    Conditional,
    #[error("PATH is computed at run time")]
    Computed,
}

impl From<ProfileError> for ReadError {
    fn from(error: ProfileError) -> Self {
        Self::invalid(error)
    }
}

/// Execution of the current statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Yes,
    No,
    /// Depends on a condition that is unknown before it runs.
    Perhaps,
}

/// Returns PATH after the lines of a profile, starting from a previous value. The input has only
/// lines about PATH.
///
/// # Errors
/// Returns an error for a conditional assignment, or for a value that is computed at run time.
pub(super) fn assign_path(
    file: &str,
    lines: &[String],
    root: bool,
    before: Option<String>,
) -> Result<Option<String>, ProfileError> {
    let mut path = before;
    let mut nested: Vec<Run> = Vec::new();
    for statement in lines.iter().flat_map(|line| statements(line)) {
        let mut rest = statement.as_str();
        loop {
            let word = rest.split([' ', '\t']).next().unwrap_or_default();
            let after = rest[word.len()..].trim_start();
            match word {
                "if" => nested.push(evaluate_condition(after, root)),
                "elif" => set_innermost(&mut nested, Run::Perhaps),
                "else" => {
                    let other = match nested.last() {
                        Some(Run::Yes) => Run::No,
                        Some(Run::No) => Run::Yes,
                        _ => Run::Perhaps,
                    };
                    set_innermost(&mut nested, other);
                    rest = after;
                    continue;
                }
                "then" | "do" | "{" => {
                    rest = after;
                    continue;
                }
                "for" | "while" | "until" | "case" => nested.push(Run::Perhaps),
                "fi" | "done" | "esac" | "}" => drop(nested.pop()),
                _ if is_function_start(rest) => nested.push(Run::Perhaps),
                _ => {}
            }
            break;
        }
        let Some(value) = path_assignment(rest) else {
            continue;
        };
        if nested.contains(&Run::No) {
            continue;
        }
        let error = |reason| ProfileError {
            file: file.to_owned(),
            statement: statement.clone(),
            reason,
        };
        match value {
            Some(_) if nested.contains(&Run::Perhaps) => {
                return Err(error(UnknownPath::Conditional));
            }
            Some(value) => {
                path = Some(
                    expand_path(value, path.as_deref())
                        .ok_or_else(|| error(UnknownPath::Computed))?,
                )
            }
            None if nested.contains(&Run::Perhaps) => {
                return Err(error(UnknownPath::Conditional));
            }
            None => return Err(error(UnknownPath::Conditional)),
        }
    }
    Ok(path)
}

fn set_innermost(nested: &mut [Run], to: Run) {
    if let Some(last) = nested.last_mut() {
        *last = to;
    }
}

/// Returns the statements of a line, separated by `;` outside quotes, without comments.
fn statements(line: &str) -> Vec<String> {
    let (mut out, mut now, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (None, '#') if now.is_empty() || now.ends_with([' ', '\t']) => break,
            (None, ';') => out.push(std::mem::take(&mut now)),
            (None, '"' | '\'') => {
                quote = Some(c);
                now.push(c);
            }
            (Some(q), c) => {
                quote = if q == c { None } else { Some(q) };
                now.push(c);
            }
            (None, c) => now.push(c),
        }
    }
    out.push(now);
    out.into_iter()
        .map(|s| s.trim().to_owned())
        .filter(|s| !s.is_empty())
        .collect()
}

/// Evaluates a condition. Only the login user is known.
fn evaluate_condition(text: &str, root: bool) -> Run {
    let text: String = text
        .chars()
        .filter(|c| !"\"'`$(){} \t".contains(*c))
        .collect();
    let is = |holds: bool| if holds { Run::Yes } else { Run::No };
    let of_root = ["id-u", "EUID", "UID"]
        .iter()
        .find_map(|who| text.strip_prefix('[').unwrap_or(&text).strip_prefix(*who));
    match of_root.map(|rest| rest.trim_end_matches(']')) {
        Some("-eq0" | "=0" | "==0") => is(root),
        Some("-ne0" | "!=0" | "-gt0") => is(!root),
        _ => Run::Perhaps,
    }
}

/// Returns true if a function begins here: `name()`.
fn is_function_start(text: &str) -> bool {
    let name = text.split('(').next().unwrap_or_default().trim_end();
    let rest = text[name.len()..].trim_start();
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && rest.starts_with('(')
        && rest[1..].trim_start().starts_with(')')
}

/// Returns the value of a PATH assignment. The inner none means an assignment inside another
/// statement, as in `[ … ] && PATH=…`.
fn path_assignment(text: &str) -> Option<Option<&str>> {
    let plain = text.strip_prefix("export ").map_or(text, str::trim_start);
    if let Some(value) = plain.strip_prefix("PATH=") {
        return Some(Some(value));
    }
    let own = |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    text.match_indices("PATH=")
        .any(|(at, _)| own(at))
        .then_some(None)
}

/// Expands PATH in a value; none if it contains another expansion.
fn expand_path(value: &str, path: Option<&str>) -> Option<String> {
    let value = value.trim();
    let (quote, inner) = match value.chars().next() {
        Some(q @ ('"' | '\'')) => (q, value[1..].strip_suffix(q)?),
        _ => (' ', value),
    };
    if inner.contains(['"', '\'', '`', '\\', '&', '|'])
        || (quote == ' ' && inner.contains([' ', '\t']))
    {
        return None;
    }
    if quote == '\'' {
        return Some(inner.to_owned());
    }
    let filled = inner.replace("${PATH}", path.unwrap_or_default());
    let filled = match filled.split_once("$PATH") {
        Some((before, after))
            if !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') =>
        {
            format!("{before}{}{after}", path.unwrap_or_default())
        }
        Some(_) => return None,
        None => filled,
    };
    (!filled.contains('$')).then_some(filled)
}

/// Returns the directories of a PATH.
pub(super) fn split_path(text: &str) -> Vec<String> {
    text.split(':').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, root: bool) -> String {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        match assign_path("f", &lines, root, Some("/was".to_owned())) {
            Ok(path) => path.unwrap_or_default(),
            Err(_) => "error".to_owned(),
        }
    }

    #[test]
    fn profiles_are_evaluated_without_running_them() {
        let debian = "if [ \"$(id -u)\" -eq 0 ]; then\n  PATH=\"/sbin:/bin\"\n\
            else\n  PATH=\"/bin:/games\"\nfi\nexport PATH\n\
            if [ \"${PS1-}\" ]; then\n  if [ \"${BASH-}\" ]; then\n  else\n  fi\nfi\n\
            for i in /etc/profile.d/*.sh; do\n  if [ -r $i ]; then\n  fi\ndone\n";
        for (text, root, user) in [
            (debian, "/sbin:/bin", "/bin:/games"),
            ("PATH=/a", "/a", "/a"),
            ("export PATH=/a:$PATH", "/a:/was", "/a:/was"),
            ("PATH=\"${PATH}:/b\"; export PATH", "/was:/b", "/was:/b"),
            ("PATH='/a:$x'", "/a:$x", "/a:$x"),
            ("MANPATH=/a\nCDPATH=/b", "/was", "/was"),
            ("#PATH=/a\nx=1 # PATH=/b", "/was", "/was"),
            ("if [ -d /x ]; then PATH=/x; fi", "error", "error"),
            ("[ -d /x ] && PATH=/x", "error", "error"),
            ("case x in\n*) PATH=/x ;;\nesac", "error", "error"),
            ("for d in /x; do PATH=$PATH:$d; done", "error", "error"),
            ("pathmunge () {\nPATH=$PATH:$1\n}", "error", "error"),
            ("PATH=$HOME/bin:$PATH", "error", "error"),
            ("PATH=$(x)", "error", "error"),
            ("PATH=/a:$PATHS", "error", "error"),
            ("if [ $EUID = 0 ]; then PATH=/r; fi", "/r", "/was"),
            ("if [ `id -u` != 0 ]; then PATH=/u; fi", "/was", "/u"),
            ("if [ -d /x ]; then\nfi\nPATH=/a", "/a", "/a"),
        ] {
            assert_eq!(
                (after(text, true).as_str(), after(text, false).as_str()),
                (root, user),
                "{text}"
            );
        }
    }
}
