//! Parses address ranges in CIDR notation and finds ranges that are too wide for SSH access.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// First length of an IPv4 range that is not reported as wide: a /8 as in RFC 1918.
const MIN_IPV4_LENGTH: u32 = 8;
/// First length of an IPv6 range that is not reported as wide. Internet registries get a /12 each.
const MIN_IPV6_LENGTH: u32 = 16;

/// Range of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressRange {
    network: IpAddr,
    /// Number of the leading bits that all addresses share.
    length: u32,
}

/// Width of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RangeWidth {
    /// Narrow enough for SSH access, or without public addresses.
    Limited,
    /// Public addresses of very many networks.
    Wide,
    /// All addresses of the IP version.
    Everything,
}

/// Reason why a text is not an address range. The text is advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressRangeError {
    /// Text without the form `ADDRESS/LENGTH`.
    #[error("use an address range such as `10.0.0.0/8`")]
    Form,
    /// Length above the number of bits of an address.
    #[error("the part after `/` is at most {max}")]
    Length {
        /// Number of bits of an address.
        max: u32,
    },
    /// Address inside the range instead of its first address.
    #[error("use the network address: `{network}/{length}`")]
    Network {
        /// First address of the range.
        network: IpAddr,
        /// Length of the range.
        length: u32,
    },
}

impl AddressRange {
    /// Parses a range such as `10.0.0.0/8` or `2001:db8::/32`.
    ///
    /// # Errors
    /// Fails if the form is wrong, the length is too large, or the address is not the first of the
    /// range.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressRangeError> {
        let (address, length) = text.split_once('/').ok_or(AddressRangeError::Form)?;
        let address: IpAddr = address.parse().map_err(|_| AddressRangeError::Form)?;
        let length = parse_length(length)?;
        let max = match address {
            IpAddr::V4(_) => Ipv4Addr::BITS,
            IpAddr::V6(_) => Ipv6Addr::BITS,
        };
        if length > max {
            return Err(AddressRangeError::Length { max });
        }
        let network = first_address(address, length);
        if network != address {
            return Err(AddressRangeError::Network { network, length });
        }
        Ok(Self { network, length })
    }

    /// Returns the width of the range.
    ///
    /// A wide range without public addresses, such as `fc00::/7` of RFC 4193, is limited.
    pub(crate) fn width(self) -> RangeWidth {
        if self.length == 0 {
            return RangeWidth::Everything;
        }
        if self.length < self.min_length() && self.has_public_addresses() {
            RangeWidth::Wide
        } else {
            RangeWidth::Limited
        }
    }

    /// Returns true if all addresses are private: RFC 1918, and `fc00::/7` of RFC 4193.
    pub(crate) fn is_private(self) -> bool {
        let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
        let mut private = private.iter().filter_map(|text| Self::parse(text).ok());
        private.any(|range| {
            self.length >= range.length
                && self.network.is_ipv4() == range.network.is_ipv4()
                && first_address(self.network, range.length) == range.network
        })
    }

    /// Returns the length from which on a range of this IP version is not wide.
    pub(crate) fn min_length(self) -> u32 {
        match self.network {
            IpAddr::V4(_) => MIN_IPV4_LENGTH,
            IpAddr::V6(_) => MIN_IPV6_LENGTH,
        }
    }

    /// Returns the name of the IP version.
    pub(crate) fn version(self) -> &'static str {
        match self.network {
            IpAddr::V4(_) => "IPv4",
            IpAddr::V6(_) => "IPv6",
        }
    }

    /// Returns true if a range of at most [`MIN_IPV6_LENGTH`] bits contains public addresses.
    ///
    /// IPv4: all below `224.0.0.0`, where multicast starts (RFC 5771). IPv6: `2000::/3` (RFC 4291,
    /// section 2.4).
    fn has_public_addresses(self) -> bool {
        match self.network {
            IpAddr::V4(network) => network < Ipv4Addr::new(224, 0, 0, 0),
            IpAddr::V6(network) => {
                let shared = self.length.min(3);
                let public = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
                mask_ipv6(network, shared) == mask_ipv6(public, shared)
            }
        }
    }
}

/// Parses a decimal number without a sign and leading zeros.
fn parse_length(text: &str) -> Result<u32, AddressRangeError> {
    let has_digits_only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let has_leading_zero = text.len() > 1 && text.starts_with('0');
    if !has_digits_only || has_leading_zero {
        return Err(AddressRangeError::Form);
    }
    text.parse().map_err(|_| AddressRangeError::Form)
}

/// Returns the first address of the range that contains `address`.
fn first_address(address: IpAddr, length: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - length).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => mask_ipv6(address, length).into(),
    }
}

/// Sets all bits after the first `length` bits to zero.
fn mask_ipv6(address: Ipv6Addr, length: u32) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - length).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(text: &str) -> RangeWidth {
        AddressRange::parse(text).expect(text).width()
    }

    #[test]
    fn ranges_without_many_public_networks_are_limited() {
        for text in [
            "10.0.0.0/8",
            "1.2.3.4/32",
            "224.0.0.0/3",
            "2001:db8::/32",
            "2a00::/16",
            "fc00::/7",
            "fc00::/6",
            "fe80::/10",
            "8000::/1",
        ] {
            assert_eq!(width(text), RangeWidth::Limited, "{text}");
        }
    }

    #[test]
    fn ranges_with_many_public_networks_are_wide() {
        for text in [
            "0.0.0.0/1",
            "10.0.0.0/7",
            "128.0.0.0/1",
            "::/1",
            "2000::/3",
            "2a00::/12",
            "2a00::/15",
        ] {
            assert_eq!(width(text), RangeWidth::Wide, "{text}");
        }
        assert_eq!(width("0.0.0.0/0"), RangeWidth::Everything);
        assert_eq!(width("::/0"), RangeWidth::Everything);
    }

    #[test]
    fn private_ranges_contain_no_public_address() {
        let is_private = |text| AddressRange::parse(text).expect(text).is_private();
        for text in [
            "10.0.0.0/8",
            "10.1.2.3/32",
            "172.31.0.0/16",
            "192.168.1.0/24",
            "fd00::/8",
        ] {
            assert!(is_private(text), "{text}");
        }
        for text in [
            "10.0.0.0/7",
            "172.32.0.0/16",
            "203.0.113.7/32",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::/32",
        ] {
            assert!(!is_private(text), "{text}");
        }
    }

    #[test]
    fn invalid_range_has_advice() {
        let advice = |text| AddressRange::parse(text).expect_err(text).to_string();
        assert_eq!(
            advice("10.1.2.3/8"),
            "use the network address: `10.0.0.0/8`"
        );
        assert_eq!(
            advice("2001:db8::1/32"),
            "use the network address: `2001:db8::/32`"
        );
        assert_eq!(advice("10.0.0.0/33"), "the part after `/` is at most 32");
        assert_eq!(advice("::/129"), "the part after `/` is at most 128");
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0/8",
            "a/8",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/99999999999",
        ] {
            assert_eq!(
                advice(bad),
                "use an address range such as `10.0.0.0/8`",
                "{bad}"
            );
        }
    }
}
