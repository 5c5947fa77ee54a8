package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
)

const defaultCNIDir = "/var/lib/cni/sriov"

// What a VF was like before ADD. The file has the names and types that Go's own encoding gives these.
type vfState struct {
	HostIFName   string
	SpoofChk     bool
	Trust        bool
	AdminMAC     string
	EffectiveMAC string
	Vlan         int
	VlanQoS      int
	VlanProto    int
	MinTxRate    int
	MaxTxRate    int
	LinkState    uint32
	MTU          int
}

// Keys of the configuration and of the cache file, which is this written down: absent keys are null or missing there.
type netConf struct {
	CNIVersion string     `json:"cniVersion"`
	Name       string     `json:"name"`
	Type       string     `json:"type"`
	IPAM       types.IPAM `json:"ipam"`

	CNIDir    string  `json:"cniDir,omitempty"`
	DeviceID  string  `json:"deviceID"`
	Vlan      *int    `json:"vlan"`
	VlanQoS   *int    `json:"vlanQoS"`
	VlanProto *string `json:"vlanProto"`
	MAC       string
	SpoofChk  string `json:"spoofchk,omitempty"`
	Trust     string `json:"trust,omitempty"`
	LinkState string `json:"link_state,omitempty"`
	MinTxRate *int   `json:"min_tx_rate"`
	MaxTxRate *int   `json:"max_tx_rate"`

	RuntimeConfig struct {
		Mac string `json:"mac,omitempty"`
	} `json:"runtimeConfig,omitempty"`

	Master      string
	VFID        int
	MTU         *int
	OrigVfState vfState
}

func parse(text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("failed to load netconf: %w", err)
	}
	return nil
}

func readConfig(stdin []byte, cniArgs string) (*netConf, error) {
	conf := &netConf{}
	if err := parse(stdin, conf); err != nil {
		return nil, err
	}
	args := struct {
		types.CommonArgs
		MAC types.UnmarshallableString
	}{CommonArgs: types.CommonArgs{IgnoreUnknown: true}}
	if err := types.LoadArgs(cniArgs, &args); err != nil {
		return nil, err
	}
	for _, mac := range []string{string(args.MAC), conf.RuntimeConfig.Mac} { // a later one wins
		if mac != "" {
			conf.MAC = mac
		}
	}
	conf.MAC = strings.ToLower(conf.MAC)
	return conf, conf.validate()
}

func (conf *netConf) validate() error {
	if conf.DeviceID == "" {
		return fmt.Errorf("VF pci addr is required")
	}
	vlan, qos, proto := valueOf(conf.Vlan), valueOf(conf.VlanQoS), conf.protocol()
	if vlan < 0 || vlan > 4094 {
		return fmt.Errorf("vlan id %d invalid: value must be in the range 0-4094", vlan)
	}
	if qos < 0 || qos > 7 {
		return fmt.Errorf("vlan QoS PCP %d invalid: value must be in the range 0-7", qos)
	}
	if conf.Vlan == nil && (conf.VlanQoS != nil || conf.VlanProto != nil) {
		return fmt.Errorf("vlanQoS and vlanProto need a vlan")
	}
	if qos != 0 && vlan == 0 {
		return fmt.Errorf("non-zero vlan id must be configured to set vlan QoS")
	}
	if proto == "" {
		return fmt.Errorf("vlan Proto %q invalid: value must be '802.1Q' or '802.1ad'", *conf.VlanProto)
	}
	if proto == "802.1ad" && vlan == 0 {
		return fmt.Errorf("non-zero vlan id must be configured to set vlan proto 802.1ad")
	}
	switch conf.LinkState {
	case "", "auto", "enable", "disable":
		return nil
	}
	return fmt.Errorf("invalid link_state value: %q", conf.LinkState)
}

// "802.1q" or "802.1ad"; "" for anything else.
func (conf *netConf) protocol() string {
	if conf.VlanProto == nil {
		return "802.1q"
	}
	switch name := strings.ToLower(*conf.VlanProto); name {
	case "802.1q", "802.1ad":
		return name
	}
	return ""
}

func valueOf(number *int) int {
	if number == nil {
		return 0
	}
	return *number
}
