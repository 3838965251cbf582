//! Explains errors of Ansible with a cause outside the playbook: a missing password, collection or
//! role.

use crate::provision::path::folder_of;

/// Messages about a module, filter or other plugin that ansible-core does not contain.
const MISSING_PLUGIN: [&str; 5] = [
    "couldn't resolve module/action '",
    "unable to locate collection ",
    "Could not load \"",
    "No filter named '",
    "No test named '",
];

/// Returns what to do after an error, or an empty text.
///
/// bakeline excludes collections and roles in the home directory of the user, because they are not
/// part of the recipe.
pub(super) fn advice(message: &str, playbook: &str) -> String {
    let folder = folder_of(playbook);
    if ["no vault secrets found", "Decryption failed"]
        .iter()
        .any(|words| message.contains(words))
    {
        return "; set `ANSIBLE_VAULT_PASSWORD_FILE` to the absolute path of a file with the password"
            .to_owned();
    }
    if let Some(name) = missing_role(message) {
        return format!(
            "; add the role to the directory of the playbook: \
             `ansible-galaxy role install {name} -p {folder}/roles`"
        );
    }
    if let Some(collection) = missing_collection(message) {
        let name = collection.unwrap_or("NAMESPACE.COLLECTION");
        return format!(
            "; if it belongs to a collection, add the collection to the directory of the playbook: \
             `ansible-galaxy collection install {name} -p {folder}/collections`"
        );
    }
    String::new()
}

/// Returns the name of a role that was not found.
fn missing_role(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("the role '")?;
    let (name, rest) = rest.split_once('\'')?;
    rest.starts_with(" was not found").then_some(name)
}

/// Returns the collection of a plugin that was not found. `Some(None)` if the message names a plugin
/// without its collection.
fn missing_collection(message: &str) -> Option<Option<&str>> {
    // The message can name the plugin first and its collection later.
    let names: Vec<&str> = MISSING_PLUGIN
        .iter()
        .filter_map(|words| message.split_once(words))
        .map(|(_, rest)| leading_name(rest))
        .collect();
    let collection = names.iter().find_map(|name| collection_of(name));
    (!names.is_empty() && collection != Some("ansible.builtin")).then_some(collection)
}

/// Returns the characters of a name of a plugin or collection.
fn leading_name(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
    text[..end.unwrap_or(text.len())].trim_end_matches('.')
}

/// Returns the collection in the full name of a plugin.
fn collection_of(name: &str) -> Option<&str> {
    let (namespace, rest) = name.split_once('.')?;
    let collection = rest.split('.').next()?;
    Some(&name[..namespace.len() + 1 + collection.len()])
}

#[cfg(test)]
mod tests {
    use super::advice;

    fn advice_for(message: &str) -> String {
        advice(message, "ansible/web/site.yaml")
    }

    #[test]
    fn missing_collection_is_named() {
        let install = |name: &str| {
            format!("`ansible-galaxy collection install {name} -p ansible/web/collections`")
        };
        for (message, name) in [
            (
                "couldn't resolve module/action 'community.general.ini_file'. This often indicates",
                "community.general",
            ),
            (
                "template error: Could not load \"ipaddr\": 'Invalid plugin FQCN \
                 (ansible.netcommon.ipaddr): unable to locate collection ansible.netcommon'. String",
                "ansible.netcommon",
            ),
            (
                "couldn't resolve module/action 'postgresql_user'. This often indicates",
                "NAMESPACE.COLLECTION",
            ),
            (
                "No filter named 'community.general.json_query'.",
                "community.general",
            ),
            (
                "template error: No filter named 'ipaddr'",
                "NAMESPACE.COLLECTION",
            ),
        ] {
            let advice = advice_for(message);
            assert!(advice.ends_with(&install(name)), "{message}: {advice}");
        }
    }

    #[test]
    fn missing_role_is_named() {
        let message = "the role 'acme.web' was not found in ansible/web/roles:/etc/ansible/roles";
        assert!(
            advice_for(message)
                .ends_with("`ansible-galaxy role install acme.web -p ansible/web/roles`")
        );
    }

    #[test]
    fn other_messages_have_no_advice() {
        for message in [
            "non-zero return code",
            "the role 'x' has no tasks",
            "couldn't resolve module/action 'ansible.builtin.cpy'. This often indicates",
            "",
        ] {
            assert_eq!(advice_for(message), "", "{message}");
        }
    }
}
