// A stand-in for sriov-cni, which Go's module proxy does not hand out: a VF per pod, with the same configuration, the same
// files and the same order of steps as sriov-cni is documented to have, and, on purpose, with the ways in which that
// loses VFs. Nothing of sriov-cni's source is in it. What it leaves out: vfio, InfiniBand, announcing addresses.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
	"github.com/containernetworking/plugins/pkg/ipam"
	"github.com/containernetworking/plugins/pkg/ns"
)

const errorCode = 999

// LEAK 1: when a setting is refused, those before it stay on the PF, and nothing is written down that DEL could undo.
func add(args *skel.CmdArgs) error {
	conf, err := readConfig(args.StdinData, args.Args)
	if err != nil {
		return err
	}
	netns, err := ns.GetNS(args.Netns)
	if err != nil {
		return fmt.Errorf("failed to open netns %q: %w", args.Netns, err)
	}
	defer netns.Close()
	unlock, err := lockDevice(conf)
	if err != nil {
		return err
	}
	defer unlock()
	if err := refuseAllocated(conf); err != nil {
		return err
	}
	vf, err := findVf(conf)
	if err != nil {
		return err
	}
	if err := vf.readOriginal(conf); err != nil {
		return err
	}
	if err := vf.apply(conf); err != nil {
		return fmt.Errorf("SRIOV-CNI failed to configure VF %q", err)
	}
	link, err := attach(conf, netns, args.IfName)
	if err != nil {
		return fmt.Errorf("failed to set up pod interface %q from the device %q: %w", args.IfName, conf.Master, err)
	}
	result := &current.Result{CNIVersion: conf.CNIVersion, Interfaces: []*current.Interface{link}}
	if conf.IPAM.Type != "" {
		if err := addresses(conf, args, netns, result); err != nil {
			return errors.Join(err, giveBack(conf, netns, args.IfName))
		}
	}
	if err := writeCache(conf, args.ContainerID, args.IfName); err != nil {
		return err
	}
	if err := writeAllocation(conf, args.Netns); err != nil {
		return err
	}
	return types.PrintResult(result, conf.CNIVersion)
}

func addresses(conf *netConf, args *skel.CmdArgs, netns ns.NetNS, result *current.Result) error {
	answer, err := ipam.ExecAdd(conf.IPAM.Type, args.StdinData)
	if err != nil {
		return fmt.Errorf("failed to set up IPAM plugin type %q: %w", conf.IPAM.Type, err)
	}
	told, err := current.NewResultFromResult(answer)
	if err != nil {
		return err
	}
	result.IPs, result.Routes, result.DNS = told.IPs, told.Routes, told.DNS
	for _, ip := range result.IPs {
		ip.Interface = current.Int(0)
	}
	return netns.Do(func(ns.NetNS) error { return ipam.ConfigureIface(args.IfName, result) })
}

// LEAK 2 is of both: without the key "vlan", ADD leaves the VLAN that it finds, and DEL the one that it leaves.
func del(args *skel.CmdArgs) error {
	unread := struct {
		CNIDir string `json:"cniDir"`
	}{}
	if err := parse(args.StdinData, &unread); err != nil {
		return err
	}
	conf, err := readCache(unread.CNIDir, args.ContainerID, args.IfName)
	if errors.Is(err, os.ErrNotExist) {
		return nil // LEAK 1, second half: what a failed ADD applied is nobody's
	}
	if err != nil {
		return err
	}
	defer removeCache(conf, args.ContainerID, args.IfName) // LEAK 5: though it failed, so that a second DEL has nothing to do
	unlock, err := lockDevice(conf)
	if err != nil {
		return err
	}
	defer unlock()
	if conf.IPAM.Type != "" {
		if err := ipam.ExecDel(conf.IPAM.Type, args.StdinData); err != nil {
			return err
		}
	}
	if args.Netns == "" {
		return nil // LEAK 3: settings stay on the PF, and the file that says whose the VF is
	}
	vf, err := findVf(conf)
	if err != nil {
		return err
	}
	if err := vf.reset(conf); err != nil {
		return fmt.Errorf("cmdDel() error reseting VF: %q", err)
	}
	netns, err := ns.GetNS(args.Netns)
	var gone ns.NSPathNotExistErr
	if errors.As(err, &gone) {
		return nil // LEAK 4: the netdev came back by itself, under any name, and the file stays
	}
	if err != nil {
		return err
	}
	defer netns.Close()
	if err := giveBack(conf, netns, args.IfName); err != nil {
		return err
	}
	return removeAllocation(conf)
}

// Even when the VF has a VLAN that its configuration does not ask for.
func check(*skel.CmdArgs) error { return nil }

func coded(step func(*skel.CmdArgs) error) func(*skel.CmdArgs) error {
	return func(args *skel.CmdArgs) error {
		if err := step(args); err != nil {
			return &types.Error{Code: errorCode, Msg: err.Error()}
		}
		return nil
	}
}

func main() {
	steps := skel.CNIFuncs{Add: coded(add), Del: coded(del), Check: check}
	skel.PluginMainFuncs(steps, version.All, "stand-in for sriov-cni")
}
