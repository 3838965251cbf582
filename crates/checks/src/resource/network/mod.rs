//! Resources for ports, firewalls, certificates and time synchronization.

pub(crate) mod certificate;
pub(crate) mod firewall;
pub(crate) mod port;
pub(crate) mod time_sync;
