use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Limits;

/// The open connections: counts them, and reaches them when the listener stops.
pub(super) struct Registry {
    connections: usize,
    per_address: usize,
    exempt_loopback: bool,
    state: Mutex<State>,
    /// A connection has closed, or the listener stops.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    next: u64,
    open: HashMap<u64, Arc<Link>>,
    by_client: HashMap<IpAddr, usize>,
}

/// Why there is no place for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Listener,
    Address,
    Stopping,
}

impl Registry {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            connections: limits.connections,
            per_address: limits.connections_per_address,
            exempt_loopback: limits.exempt_loopback,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn enter(self: &Arc<Self>, stream: TcpStream, ip: IpAddr) -> Result<Entry, Full> {
        let client = client(ip);
        let exempt = self.exempt_loopback && ip.to_canonical().is_loopback();
        let mut state = lock(&self.state);
        if state.stopping {
            return Err(Full::Stopping);
        }
        if state.open.len() >= self.connections {
            return Err(Full::Listener);
        }
        let of_client = state.by_client.get(&client).copied().unwrap_or(0);
        if of_client >= self.per_address && !exempt {
            return Err(Full::Address);
        }
        state.by_client.insert(client, of_client + 1);
        let id = state.next;
        state.next += 1;
        let link = Arc::new(Link::new(stream));
        state.open.insert(id, Arc::clone(&link));
        Ok(Entry {
            registry: Arc::clone(self),
            id,
            client,
            link,
        })
    }

    pub(super) fn is_full(&self) -> bool {
        lock(&self.state).open.len() >= self.connections
    }

    pub(super) fn is_stopping(&self) -> bool {
        lock(&self.state).stopping
    }

    /// Returns when there is room for a connection, or the listener stops.
    pub(super) fn wait_for_room(&self) {
        let full = |state: &mut State| !state.stopping && state.open.len() >= self.connections;
        let woken = self.changed.wait_while(lock(&self.state), full);
        drop(woken.unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns after `duration`, or when the listener stops.
    pub(super) fn pause(&self, duration: Duration) {
        let running = |state: &mut State| !state.stopping;
        let _ = self
            .changed
            .wait_timeout_while(lock(&self.state), duration, running);
    }

    /// Lets nobody in any more, and tells the others to finish.
    pub(super) fn stop(&self) {
        let mut state = lock(&self.state);
        state.stopping = true;
        for link in state.open.values() {
            link.finish();
        }
        self.changed.notify_all();
    }

    /// Waits until all have left, but for `grace` only, and cuts the rest.
    /// Returns how many those are.
    pub(super) fn drain(&self, grace: Duration) -> usize {
        let (state, _) = self
            .changed
            .wait_timeout_while(lock(&self.state), grace, |state| !state.open.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        for link in state.open.values() {
            link.cut();
        }
        state.open.len()
    }
}

/// The place of one connection, until it is dropped.
pub(super) struct Entry {
    registry: Arc<Registry>,
    id: u64,
    client: IpAddr,
    link: Arc<Link>,
}

impl Entry {
    pub(super) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = lock(&self.registry.state);
        state.open.remove(&self.id);
        if let Some(count) = state.by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                state.by_client.remove(&self.client);
            }
        }
        drop(state);
        self.registry.changed.notify_all();
    }
}

/// A socket between the thread of its connection and the one who stops it.
pub(super) struct Link {
    stream: TcpStream,
    phase: Mutex<Phase>,
}

#[derive(Default)]
struct Phase {
    /// Within a message, from its first byte to its answer.
    busy: bool,
    finishing: bool,
}

impl Link {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            phase: Mutex::default(),
        }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// No message is under way. Whether the connection is to end here; if not,
    /// [`Link::finish`] ends the read that follows.
    pub(super) fn rest(&self) -> bool {
        let mut phase = lock(&self.phase);
        phase.busy = false;
        phase.finishing
    }

    /// A message is under way.
    pub(super) fn work(&self) {
        lock(&self.phase).busy = true;
    }

    pub(super) fn is_finishing(&self) -> bool {
        lock(&self.phase).finishing
    }

    fn finish(&self) {
        let mut phase = lock(&self.phase);
        phase.finishing = true;
        if !phase.busy {
            // Fails when the other side is gone, which the thread sees as well.
            let _ = self.stream.shutdown(Shutdown::Read);
        }
    }

    fn cut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Who counts as one: whoever has one IPv6 address has its /64.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    struct Fixture {
        registry: Arc<Registry>,
        listener: TcpListener,
    }

    impl Fixture {
        fn new(connections: usize, per_address: usize, exempt_loopback: bool) -> Self {
            let limits = Limits {
                connections,
                connections_per_address: per_address,
                exempt_loopback,
                ..Limits::default()
            };
            Self {
                registry: Arc::new(Registry::new(&limits)),
                listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            }
        }

        fn enter(&self, address: &str) -> Result<Entry, Full> {
            let stream = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            self.registry.enter(stream, address.parse().unwrap())
        }
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
            let fixture = Fixture::new(10, 1, false);
            let _first = fixture.enter(first).ok().unwrap();
            let full = fixture.enter(second).err();
            assert_eq!(full, same.then_some(Full::Address), "{first} {second}");
        }
    }

    #[test]
    fn places_come_back_and_clients_are_forgotten() {
        let fixture = Fixture::new(2, 1, false);
        let first = fixture.enter("192.0.2.1").ok().unwrap();
        let _second = fixture.enter("192.0.2.2").ok().unwrap();
        assert_eq!(fixture.enter("192.0.2.3").err(), Some(Full::Listener));
        assert!(fixture.registry.is_full());
        drop(first);
        drop(fixture.enter("192.0.2.3").ok().unwrap());
        assert_eq!(lock(&fixture.registry.state).by_client.len(), 1);
        fixture.registry.stop();
        assert_eq!(fixture.enter("192.0.2.3").err(), Some(Full::Stopping));
    }

    #[test]
    fn loopback_is_exempt_of_the_limit_of_an_address_only() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let fixture = Fixture::new(2, 1, true);
            let _two = [
                fixture.enter(address).ok().unwrap(),
                fixture.enter(address).ok().unwrap(),
            ];
            assert_eq!(fixture.enter(address).err(), Some(Full::Listener));
        }
    }
}
