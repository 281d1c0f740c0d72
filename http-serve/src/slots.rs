use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Limits;

/// Counts open connections.
pub(crate) struct Slots {
    connections: usize,
    per_address: usize,
    exempt_loopback: bool,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Server,
    Address,
}

impl Slots {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            connections: limits.connections,
            per_address: limits.connections_per_address,
            exempt_loopback: limits.exempt_loopback,
            open: Mutex::default(),
        }
    }

    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Slot, Full> {
        let client = client(address);
        let exempt = self.exempt_loopback && address.to_canonical().is_loopback();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.connections {
            return Err(Full::Server);
        }
        let of_client = open.by_client.get(&client).copied().unwrap_or(0);
        if of_client >= self.per_address && !exempt {
            return Err(Full::Address);
        }
        open.by_client.insert(client, of_client + 1);
        open.total += 1;
        Ok(Slot {
            slots: Arc::clone(self),
            client,
        })
    }
}

/// One open connection, counted until it is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    client: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self
            .slots
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.by_client.remove(&self.client);
            }
        }
    }
}

/// Who counts as one: whoever has one IPv6 address has its /64.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(connections: usize, per_address: usize, exempt_loopback: bool) -> Arc<Slots> {
        Arc::new(Slots::new(&Limits {
            connections,
            connections_per_address: per_address,
            exempt_loopback,
            ..Limits::default()
        }))
    }

    fn take(slots: &Arc<Slots>, address: &str) -> Result<Slot, Full> {
        slots.take(address.parse().unwrap())
    }

    #[test]
    fn one_client_is_one_ipv4_address_or_one_ipv6_network() {
        let cases = [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ];
        for (first, second, same) in cases {
            let slots = slots(10, 1, false);
            let _first = take(&slots, first).unwrap();
            let full = take(&slots, second).err();
            assert_eq!(full, same.then_some(Full::Address), "{first} {second}");
        }
    }

    #[test]
    fn slots_come_back_and_are_forgotten() {
        let slots = slots(2, 1, false);
        let first = take(&slots, "192.0.2.1").unwrap();
        let _second = take(&slots, "192.0.2.2").unwrap();
        assert_eq!(take(&slots, "192.0.2.3").err(), Some(Full::Server));
        drop(first);
        drop(take(&slots, "192.0.2.3").unwrap());
        assert_eq!(slots.open.lock().unwrap().by_client.len(), 1);
    }

    #[test]
    fn loopback_is_exempt_of_the_limit_of_an_address_only() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let slots = slots(2, 1, true);
            let _two = [
                take(&slots, address).unwrap(),
                take(&slots, address).unwrap(),
            ];
            assert_eq!(take(&slots, address).err(), Some(Full::Server));
        }
    }
}
