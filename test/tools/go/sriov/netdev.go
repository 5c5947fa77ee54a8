package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"

	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/containernetworking/plugins/pkg/utils/sysctl"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Moves the VF's netdev from the host into the pod, by way of a namespace of its own, where its new name is free.
func attach(conf *netConf, pod ns.NetNS, ifName string) (*current.Interface, error) {
	netdevs := namesIn(pciDevices, conf.DeviceID, "net")
	if len(netdevs) == 0 {
		return nil, fmt.Errorf("no net device of %s", conf.DeviceID)
	}
	link, err := netlink.LinkByName(netdevs[0])
	if err != nil {
		return nil, err
	}
	conf.OrigVfState.HostIFName = netdevs[0]
	conf.OrigVfState.EffectiveMAC = link.Attrs().HardwareAddr.String()
	conf.OrigVfState.MTU = link.Attrs().MTU
	temporary, err := newNetns()
	if err != nil {
		return nil, fmt.Errorf("failed to create temporary netns: %w", err)
	}
	defer temporary.Close()
	if err := netlink.LinkSetNsFd(link, int(temporary.Fd())); err != nil {
		return nil, fmt.Errorf("failed to move %q to a temporary netns: %w", netdevs[0], err)
	}
	if err := temporary.Do(func(ns.NetNS) error { return rename(netdevs[0], ifName, pod) }); err != nil {
		return nil, err
	}
	var made *current.Interface
	err = pod.Do(func(ns.NetNS) error {
		made, err = conf.start(ifName)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, giveBack(conf, pod, ifName))
	}
	made.Sandbox = pod.Path()
	if conf.CNIVersion >= "1.1.0" {
		made.PciID, made.Mtu = conf.DeviceID, conf.OrigVfState.MTU
	}
	return made, nil
}

func rename(name, wanted string, to ns.NetNS) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetDown(link); err != nil {
		return err
	}
	if slices.Contains(link.Attrs().AltNames, wanted) {
		if err := netlink.LinkDelAltName(link, wanted); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetName(link, wanted); err != nil {
		return fmt.Errorf("error setting container interface name %s for %s: %w", wanted, name, err)
	}
	if err := netlink.LinkSetNsFd(link, int(to.Fd())); err != nil {
		return fmt.Errorf("failed to move %s to the pod's netns: %w", wanted, err)
	}
	return nil
}

// Inside of the pod.
func (conf *netConf) start(ifName string) (*current.Interface, error) {
	for _, key := range []string{"ipv4/conf/%s/arp_notify", "ipv6/conf/%s/ndisc_notify", "ipv6/conf/%s/optimistic_dad"} {
		sysctl.Sysctl(fmt.Sprintf("net/"+key, ifName), "1") // not every kernel has each of them
	}
	if conf.MAC != "" {
		if err := setEffectiveMac(ifName, conf.MAC); err != nil {
			return nil, fmt.Errorf("failed to set netlink MAC address to %s: %w", conf.MAC, err)
		}
	}
	link, err := netlink.LinkByName(ifName)
	if err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("error bringing interface up in container ns: %w", err)
	}
	if link, err = netlink.LinkByName(ifName); err != nil {
		return nil, err
	}
	return &current.Interface{Name: ifName, Mac: link.Attrs().HardwareAddr.String()}, nil
}

// The VF tells its PF, though it has that address already: igb then shows it as the admin MAC. Where the PF insists on an
// admin MAC, the VF has that after its next reset, which is when it goes down.
func setEffectiveMac(ifName, text string) error {
	mac, err := net.ParseMAC(text)
	if err != nil {
		return err
	}
	return repeated(func() error {
		link, err := netlink.LinkByName(ifName)
		if err != nil {
			return err
		}
		refused := netlink.LinkSetHardwareAddr(link, mac)
		if refused == nil || bytes.Equal(link.Attrs().HardwareAddr, mac) {
			return nil
		}
		return errors.Join(refused, netlink.LinkSetUp(link), netlink.LinkSetDown(link))
	})
}

// LEAK 5: it looks for the name that it gave; a VF that was renamed in the pod stays there.
func giveBack(conf *netConf, pod ns.NetNS, ifName string) error {
	return pod.Do(func(host ns.NetNS) error {
		original := conf.OrigVfState
		link, err := netlink.LinkByName(ifName)
		if err != nil {
			return fmt.Errorf("failed to get netlink device with name %s: %w", ifName, err)
		}
		if err := netlink.LinkSetDown(link); err != nil {
			return fmt.Errorf("failed to set link %s down: %w", ifName, err)
		}
		if err := netlink.LinkSetName(link, original.HostIFName); err != nil {
			return fmt.Errorf("failed to rename link %s to host name %s: %w", ifName, original.HostIFName, err)
		}
		if err := setEffectiveMac(original.HostIFName, original.EffectiveMAC); err != nil {
			return fmt.Errorf("failed to restore original effective netlink MAC address %s: %w", original.EffectiveMAC, err)
		}
		if err := netlink.LinkSetMTU(link, original.MTU); err != nil {
			return fmt.Errorf("failed to restore original MTU %d: %w", original.MTU, err)
		}
		if err := netlink.LinkSetNsFd(link, int(host.Fd())); err != nil {
			return fmt.Errorf("failed to move interface %s to init netns: %w", original.HostIFName, err)
		}
		return nil
	})
}

// A namespace without a name; it ends when it is closed.
func newNetns() (ns.NetNS, error) {
	type answer struct {
		netns ns.NetNS
		err   error
	}
	made := make(chan answer)
	go func() {
		runtime.LockOSThread() // and never lets go of it: the thread ends with this function
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- answer{nil, err}
			return
		}
		netns, err := ns.GetCurrentNS()
		made <- answer{netns, err}
	}()
	got := <-made
	return got.netns, got.err
}
