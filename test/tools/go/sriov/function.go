package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	pciDevices = "/sys/bus/pci/devices"
	macTries   = 20
	macPause   = 100 * time.Millisecond
)

// A virtual function as its PF sees it.
type function struct {
	pf netlink.Link
	id int
}

// Names of the folder's entries, [] when there is no such folder.
func namesIn(parts ...string) []string {
	entries, _ := os.ReadDir(filepath.Join(parts...))
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// Looks for the configuration's device; sets Master and VFID.
func findVf(conf *netConf) (*function, error) {
	pf := filepath.Join(pciDevices, conf.DeviceID, "physfn")
	netdevs := namesIn(pf, "net")
	if len(netdevs) == 0 {
		return nil, fmt.Errorf("failed to get PF name: %s/net has no entry", pf)
	}
	id := slices.IndexFunc(virtfns(pf), func(address string) bool { return address == conf.DeviceID })
	if id < 0 {
		return nil, fmt.Errorf("unable to get VF ID with PF %s and VF pci address %s", netdevs[0], conf.DeviceID)
	}
	link, err := netlink.LinkByName(netdevs[0])
	if err != nil {
		return nil, fmt.Errorf("failed to lookup master %q: %w", netdevs[0], err)
	}
	conf.Master, conf.VFID = netdevs[0], id
	return &function{link, id}, nil
}

// PCI addresses of a PF's VFs, by index.
func virtfns(pf string) []string {
	addresses := []string{}
	for i := 0; ; i++ {
		path, err := os.Readlink(filepath.Join(pf, fmt.Sprintf("virtfn%d", i)))
		if err != nil {
			return addresses
		}
		addresses = append(addresses, filepath.Base(path))
	}
}

func (vf *function) state() (*netlink.VfInfo, error) {
	link, err := netlink.LinkByIndex(vf.pf.Attrs().Index)
	if err != nil {
		return nil, err
	}
	for _, one := range link.Attrs().Vfs {
		if one.ID == vf.id {
			return &one, nil
		}
	}
	return nil, fmt.Errorf("failed to find vf %d of %s", vf.id, vf.pf.Attrs().Name)
}

func (vf *function) readOriginal(conf *netConf) error {
	now, err := vf.state()
	if err != nil {
		return err
	}
	conf.OrigVfState = vfState{
		SpoofChk:  now.Spoofchk,
		Trust:     now.Trust != 0,
		AdminMAC:  now.Mac.String(),
		Vlan:      now.Vlan,
		VlanQoS:   now.Qos,
		VlanProto: now.VlanProto,
		MinTxRate: int(now.MinTxRate),
		MaxTxRate: int(now.MaxTxRate),
		LinkState: now.LinkState,
	}
	return nil
}

func (vf *function) apply(conf *netConf) error {
	if conf.Vlan != nil {
		proto := unix.ETH_P_8021Q
		if conf.protocol() == "802.1ad" {
			proto = unix.ETH_P_8021AD
		}
		if err := netlink.LinkSetVfVlanQosProto(vf.pf, vf.id, *conf.Vlan, valueOf(conf.VlanQoS), proto); err != nil {
			return fmt.Errorf("failed to set vf %d vlan configuration: %w", vf.id, err)
		}
	}
	if conf.MAC != "" {
		if err := vf.setAdminMac(conf.MAC); err != nil {
			return fmt.Errorf("failed to set MAC address to %s: %w", conf.MAC, err)
		}
	}
	if conf.MinTxRate != nil || conf.MaxTxRate != nil {
		original := conf.OrigVfState
		lowest, highest := or(conf.MinTxRate, original.MinTxRate), or(conf.MaxTxRate, original.MaxTxRate)
		if err := netlink.LinkSetVfRate(vf.pf, vf.id, lowest, highest); err != nil {
			return fmt.Errorf("failed to set vf %d min_tx_rate to %d Mbps, max_tx_rate to %d Mbps: %w", vf.id, lowest, highest, err)
		}
	}
	if conf.SpoofChk != "" {
		if err := netlink.LinkSetVfSpoofchk(vf.pf, vf.id, conf.SpoofChk == "on"); err != nil {
			return fmt.Errorf("failed to set vf %d spoofchk flag to %s: %w", vf.id, conf.SpoofChk, err)
		}
	}
	if conf.Trust != "" {
		if err := netlink.LinkSetVfTrust(vf.pf, vf.id, conf.Trust == "on"); err != nil {
			return fmt.Errorf("failed to set vf %d trust flag to %s: %w", vf.id, conf.Trust, err)
		}
	}
	if conf.LinkState != "" {
		state := uint32(slices.Index([]string{"auto", "enable", "disable"}, conf.LinkState))
		if err := netlink.LinkSetVfState(vf.pf, vf.id, state); err != nil {
			return fmt.Errorf("failed to set vf %d link state to %d: %w", vf.id, state, err)
		}
	}
	return nil
}

// Back to what readOriginal found: the admin MAC always, the rest where the configuration had changed it.
func (vf *function) reset(conf *netConf) error {
	original := conf.OrigVfState
	if conf.Vlan != nil {
		err := netlink.LinkSetVfVlanQosProto(vf.pf, vf.id, original.Vlan, original.VlanQoS, original.VlanProto)
		if err != nil {
			return fmt.Errorf("failed to set vf %d vlan: %w", vf.id, err)
		}
	}
	if conf.SpoofChk != "" {
		if err := netlink.LinkSetVfSpoofchk(vf.pf, vf.id, original.SpoofChk); err != nil {
			return fmt.Errorf("failed to restore spoofchk for vf %d: %w", vf.id, err)
		}
	}
	if err := vf.setAdminMac(original.AdminMAC); err != nil {
		return fmt.Errorf("failed to restore original administrative MAC address %s: %w", original.AdminMAC, err)
	}
	if conf.Trust != "" {
		if err := netlink.LinkSetVfTrust(vf.pf, vf.id, original.Trust); err != nil {
			return fmt.Errorf("failed to set trust for vf %d: %w", vf.id, err)
		}
	}
	if conf.MinTxRate != nil || conf.MaxTxRate != nil {
		if err := netlink.LinkSetVfRate(vf.pf, vf.id, original.MinTxRate, original.MaxTxRate); err != nil {
			return fmt.Errorf("failed to set rates for vf %d: %w", vf.id, err)
		}
	}
	if conf.LinkState != "" {
		if err := netlink.LinkSetVfState(vf.pf, vf.id, original.LinkState); err != nil {
			return fmt.Errorf("failed to set link state to auto for vf %d: %w", vf.id, err)
		}
	}
	return nil
}

// Tells the PF, until the PF says the same: some drivers take a while.
func (vf *function) setAdminMac(text string) error {
	mac, err := net.ParseMAC(text)
	if err != nil {
		return err
	}
	return repeated(func() error {
		if err := netlink.LinkSetVfHardwareAddr(vf.pf, vf.id, mac); err != nil {
			return err
		}
		now, err := vf.state()
		if err == nil && !strings.EqualFold(now.Mac.String(), text) {
			err = fmt.Errorf("it is %s", now.Mac)
		}
		return err
	})
}

func repeated(try func() error) error {
	err := try()
	for tries := 1; err != nil && tries < macTries; tries++ {
		time.Sleep(macPause)
		err = try()
	}
	return err
}

func or(number *int, otherwise int) int {
	if number == nil {
		return otherwise
	}
	return *number
}
