//! Owns the catalog's diagnostic codes: what each means, in one table that messages, docs and tests share.

macro_rules! codes {
    ($($name:ident = $code:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: &str = $code;)*
        /// Every code with its meaning, in order.
        pub const ALL: &[(&str, &str)] = &[$(($code, $doc)),*];
    };
}

codes! {
    MISSING_SETTINGS = "CAT001", "there is no `bakeline.yaml`";
    UNREADABLE = "CAT002", "a YAML file of the catalog can't be read, is not a file, is too large or leaves the repository";
    ENCODING = "CAT003", "a YAML file is not UTF-8";
    SYNTAX = "CAT004", "a file is not YAML";
    TAB = "CAT005", "a tab where YAML wants spaces";
    CONTROL = "CAT006", "a NUL, another control character or an invisible direction mark";
    DOCUMENTS = "CAT007", "more than one YAML document in a file";
    EMPTY = "CAT008", "a file without content";
    LIMIT = "CAT009", "too deep, too many nodes, or aliases that expand without end";
    FEATURE = "CAT010", "a YAML feature the catalog has no use for: custom tags, merge keys, keys that are not text";
    DUPLICATE_KEY = "CAT011", "a key twice in one map";
    UNKNOWN_KEY = "CAT020", "a key that has no meaning there";
    WRONG_TYPE = "CAT021", "a value of another type than its key wants";
    MISSING_KEY = "CAT022", "a mandatory key is not there";
    UNKNOWN_VALUE = "CAT023", "a word that is not one of those allowed";
    NUMBER_RANGE = "CAT024", "a number outside its range";
    NAME = "CAT030", "a name with forbidden characters or a wrong length";
    NAME_IS_NOT_STEM = "CAT031", "an image's `name` differs from its file's name";
    DUPLICATE_IMAGE = "CAT032", "two files define one image";
    IMAGE_FILE = "CAT033", "a file under `images/` that would be ignored, because of its place or extension";
    AMI_NAME = "CAT034", "the AMI's name would be longer than EC2 allows";
    ORIGIN = "CAT040", "an image needs either `source` or `parent`";
    UNKNOWN_PARENT = "CAT041", "a parent that is no image of the catalog";
    CYCLE = "CAT042", "images that are each other's ancestors";
    INHERITED = "CAT043", "a key that only a base image has";
    DISK = "CAT044", "a root volume smaller than the parent's";
    SOURCE = "CAT045", "how a base image's AMI is found: `owner` and `name`, or `ssm`";
    UNKNOWN_ENVIRONMENT = "CAT050", "an environment that is not on the ladder";
    LADDER = "CAT051", "an image that may rise higher than its parent";
    DUPLICATE_ENVIRONMENT = "CAT052", "two environments with one name or one tag value";
    UNKNOWN_REGION = "CAT053", "an environment's Region that is not one of the catalog's";
    DUPLICATE_ENTRY = "CAT054", "an entry twice in a list";
    PATH = "CAT060", "a path that is absolute, leaves the repository, or has forbidden characters";
    PATH_ESCAPES = "CAT061", "a link that leaves the repository";
    PATH_MISSING = "CAT062", "a named file that does not exist";
    PATH_KIND = "CAT063", "a named file that is a folder, too large or unreadable";
    DESTINATION = "CAT064", "a destination that is not an absolute, plain path, or is taken";
    MODE = "CAT065", "a file mode that is not octal";
    OWNER = "CAT066", "an owner that is not `user` or `user:group`";
    PACKAGE = "CAT067", "a package name the platform refuses";
    DUPLICATE_PACKAGE = "CAT068", "a package twice in one image";
    UNKNOWN_PROFILE = "CAT069", "a check profile that does not exist";
    RESERVED_TAG = "CAT070", "a tag key that bakeline or AWS keeps for itself";
    TAG_LIMIT = "CAT071", "a tag that is too long, empty, or one too many";
    SECRET = "CAT080", "a secret in the clear";
    WEBHOOK_ENV = "CAT081", "not the name of an environment variable";
    TEMPLATE = "CAT082", "`{{`, which Packer or Ansible would expand";
    TEXT = "CAT083", "free text that must be one line, or is too long";
    VARIABLE = "CAT084", "not the name of a variable or fact, or one that is not the user's";
    ASCII = "CAT085", "a character beyond ASCII in a text for which EC2 accepts ASCII only";
    AWS_SYNTAX = "CAT090", "not an account, Region, role, network, instance type, subnet or parameter name as AWS writes them";
    OPEN_ACCESS = "CAT091", "an address range that lets everybody in";
    TIME = "CAT092", "not a time such as `7d`";
    STORE = "CAT093", "where the store is: `path` or `s3`";
    CHECK = "CAT100", "a check that makes no sense";
    EXTENDS = "CAT101", "profiles that extend each other, or bring one check in two ways";
    INPUT = "CAT102", "an input that nobody declares, or a value that does not fit it";
    UNKNOWN_CONTROL = "CAT103", "a control that does not exist";
    WAIVER = "CAT104", "a waiver without a reason, an owner or a day, of nothing, or that has expired";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(
            ALL.iter()
                .all(|(code, doc)| code.len() == 6 && !doc.ends_with('.'))
        );
    }
}
