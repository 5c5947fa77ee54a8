// What a controller does with Multus's own package: one POST /delegate on the socket argv[1], told on stdin, and the
// result as the package reads it, on stdout.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"gopkg.in/k8snetworkplumbingwg/multus-cni.v4/pkg/server/api"
)

type call struct {
	Command, ContainerID, Netns, IfName, Namespace, Name, UID string
	Config                                                    json.RawMessage
	Attributes                                                *api.DelegateInterfaceAttributes
}

func run(socket string) error {
	var c call
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		return err
	}
	request := api.CreateDelegateRequest(c.Command, c.ContainerID, c.Netns, c.IfName, c.Namespace, c.Name, c.UID, c.Config, c.Attributes)
	body, err := api.DoCNI(api.GetAPIEndpoint(api.MultusDelegateAPIEndpoint), request, socket)
	if err != nil || len(body) == 0 {
		return err
	}
	response := &api.Response{}
	if err := json.Unmarshal(body, response); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(response.Result)
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
