//! Lists the diagnostic codes of the catalog.

macro_rules! codes {
    ($($name:ident = $code:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: &str = $code;)*
        /// All codes with their meanings, in ascending order.
        pub const ALL: &[(&str, &str)] = &[$(($code, $doc)),*];
    };
}

codes! {
    MISSING_SETTINGS = "CAT001", "there is no `bakeline.yaml`";
    UNREADABLE = "CAT002",
        "a YAML file of the catalog is not a regular file, unreadable, too large or outside the repository";
    ENCODING = "CAT003", "a YAML file is not UTF-8";
    SYNTAX = "CAT004", "a file is not valid YAML";
    TAB = "CAT005", "a tab where YAML requires spaces";
    CONTROL = "CAT006", "a NUL, another control character or an invisible direction mark";
    DOCUMENTS = "CAT007", "more than one YAML document in a file";
    EMPTY = "CAT008", "a file without content";
    LIMIT = "CAT009", "nesting, number of nodes or expansion of aliases above the limit";
    FEATURE = "CAT010",
        "an unsupported YAML feature: custom tags, merge keys, keys that are not text";
    DUPLICATE_KEY = "CAT011", "a duplicate key in a map";
    UNKNOWN_KEY = "CAT020", "an unknown key";
    WRONG_TYPE = "CAT021", "a value of the wrong type";
    MISSING_KEY = "CAT022", "a required key is missing";
    UNKNOWN_VALUE = "CAT023", "a value that is not one of the allowed words";
    NUMBER_RANGE = "CAT024", "a number outside its range";
    NAME = "CAT030", "a name with invalid characters or an invalid length";
    NAME_IS_NOT_STEM = "CAT031", "an image's `name` differs from its file's name";
    DUPLICATE_IMAGE = "CAT032", "two files define one image";
    IMAGE_FILE = "CAT033",
        "a file in `images/` that would be ignored because of its directory or extension";
    AMI_NAME = "CAT034", "the name of the AMI could be longer than EC2 allows";
    NO_IMAGES = "CAT035", "a catalog without images";
    ORIGIN = "CAT040", "an image needs either `source` or `parent`";
    UNKNOWN_PARENT = "CAT041", "a parent that is not an image of the catalog";
    CYCLE = "CAT042", "a cycle of parents";
    INHERITED = "CAT043", "a key that only base images have";
    DISK = "CAT044", "a volume smaller than that of the parent";
    SOURCE = "CAT045",
        "a source that has neither `owner` and `name`, nor `ssm` alone, or that skips all its AMIs";
    SOURCE_FILTER = "CAT046", "a filter or filter value that EC2 does not have, or a reserved filter";
    INSTANCE_ARCH = "CAT047", "an instance type of another architecture than the image";
    VOLUME = "CAT048", "an impossible combination of settings of a volume";
    UNKNOWN_ENVIRONMENT = "CAT050", "an unknown environment";
    ENVIRONMENT_ORDER = "CAT051", "an image with a higher environment than its parent";
    DUPLICATE_ENVIRONMENT = "CAT052", "two environments with one name or one tag value";
    UNKNOWN_REGION = "CAT053", "a Region of an environment that is not in `regions` of the catalog";
    DUPLICATE_ENTRY = "CAT054", "a duplicate entry in a list";
    PARTITION = "CAT055", "a Region, role or key of another partition than the first Region";
    DISTRIBUTION = "CAT056",
        "settings of `distribute` that contradict each other, receivers that are missing, or an account without a `role`";
    PATH = "CAT060", "a path that is absolute, outside the repository, or has invalid characters";
    PATH_ESCAPES = "CAT061", "a link to a target outside the repository";
    PATH_MISSING = "CAT062", "a file that does not exist";
    PATH_KIND = "CAT063", "a path that is a directory or special file, too large or unreadable";
    DESTINATION = "CAT064",
        "a destination that is relative or contains `.` or `..`, or a duplicate destination";
    MODE = "CAT065", "a file mode that is not octal";
    OWNER = "CAT066", "an owner that is not `user` or `user:group`";
    PACKAGE = "CAT067", "an invalid package name";
    DUPLICATE_PACKAGE = "CAT068", "a duplicate package";
    UNKNOWN_PROFILE = "CAT069", "a check profile that does not exist";
    RESERVED_TAG = "CAT070", "a tag key that is reserved by bakeline or AWS";
    TAG_LIMIT = "CAT071", "a tag that is empty or too long, or too many tags";
    SECRET = "CAT080", "a secret in plain text";
    WEBHOOK_ENV = "CAT081", "an invalid name of an environment variable";
    TEMPLATE = "CAT082", "`{{`, which Packer or Ansible would expand";
    TEXT = "CAT083", "text that must be one line, or is too long";
    VARIABLE = "CAT084", "an invalid or reserved name of a variable or fact";
    ASCII = "CAT085", "a non-ASCII character in a text for which EC2 accepts ASCII only";
    ERREXIT = "CAT086", "a shell script that continues after a failed command";
    AWS_SYNTAX = "CAT090",
        "an invalid AWS account, Region, role, address range, instance type, subnet or parameter name";
    OPEN_ACCESS = "CAT091", "an address range that contains a large part of the internet";
    TIME = "CAT092", "an invalid duration";
    STORE = "CAT093", "an invalid directory, bucket or prefix of the store";
    KMS_KEY = "CAT094",
        "a KMS key that does not exist in the Region, is missing for a Region, or cannot be shared";
    ACCESS = "CAT095", "an access that cannot reach the instances";
    CHECK = "CAT100", "an invalid check";
    EXTENDS = "CAT101", "a cycle of profiles, or conflicting versions of one check";
    INPUT = "CAT102", "an undeclared input, or an invalid value of an input";
    UNKNOWN_CONTROL = "CAT103", "an unknown control";
    WAIVER = "CAT104", "an incomplete, unused or expired waiver";
    PLACEHOLDER = "CAT110", "an invalid or unterminated `${…}`";
    UNKNOWN_VARIABLE = "CAT111", "an unknown variable, or an unknown key of a variable";
    UNUSED_VARIABLE = "CAT112", "a variable that no image uses";
    VARIABLE_CYCLE = "CAT113", "a cycle of variables";
    VARIABLE_TYPE = "CAT114", "a list or map as part of a text";
    MATRIX = "CAT115", "an invalid matrix";
    UNUSED_OVERRIDE = "CAT116", "a file below `templates` that replaces no shipped template";
    MISPLACED_FILE = "CAT117", "a file of the catalog in a place that bakeline does not read";
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
