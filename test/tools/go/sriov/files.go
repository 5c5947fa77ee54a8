package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const lockLimit = 60 * time.Second

func (conf *netConf) dir() string {
	if conf.CNIDir == "" {
		return defaultCNIDir
	}
	return conf.CNIDir
}

// Holds the device's lock until the function that it returns is called.
func lockDevice(conf *netConf) (func(), error) {
	folder := filepath.Join(conf.dir(), "pci", "vf_lock")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(folder, conf.DeviceID+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockLimit); ; time.Sleep(50 * time.Millisecond) {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			file.Close()
			return nil, fmt.Errorf("failed to lock device %s: %w", conf.DeviceID, err)
		}
	}
}

func (conf *netConf) allocation() string { return filepath.Join(conf.dir(), "pci", conf.DeviceID) }

// A device belongs to the namespace that its file names, as long as that is there.
func refuseAllocated(conf *netConf) error {
	path, err := os.ReadFile(conf.allocation())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(string(path)); err == nil {
		return fmt.Errorf("pci address %s is already allocated", conf.DeviceID)
	}
	return removeAllocation(conf)
}

func writeAllocation(conf *netConf, netns string) error {
	return os.WriteFile(conf.allocation(), []byte(netns), 0o600)
}

func removeAllocation(conf *netConf) error { return os.Remove(conf.allocation()) }

func cachePath(dir, container, ifName string) string {
	if dir == "" {
		dir = defaultCNIDir
	}
	return filepath.Join(dir, container+"-"+ifName)
}

func writeCache(conf *netConf, container, ifName string) error {
	text, err := json.Marshal(conf)
	if err != nil {
		return err
	}
	return os.WriteFile(cachePath(conf.CNIDir, container, ifName), text, 0o600)
}

// os.ErrNotExist when ADD did not get as far as writing it.
func readCache(dir, container, ifName string) (*netConf, error) {
	text, err := os.ReadFile(cachePath(dir, container, ifName))
	if err != nil {
		return nil, err
	}
	conf := &netConf{}
	return conf, parse(text, conf)
}

func removeCache(conf *netConf, container, ifName string) {
	os.Remove(cachePath(conf.CNIDir, container, ifName))
}
