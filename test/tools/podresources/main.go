// A kubelet's PodResources service as Go's gRPC has it, for test/tools/podresources/podresources.test.ts:
// podresources SOCKET METHODS < ListPodResourcesResponse as JSON. It says "ready", and runs until it is killed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"
)

// lister answers List only; Get is not implemented.
type lister struct {
	podresources.UnimplementedPodResourcesListerServer
	response *podresources.ListPodResourcesResponse
}

func (l lister) List(context.Context, *podresources.ListPodResourcesRequest) (*podresources.ListPodResourcesResponse, error) {
	return l.response, nil
}

// getter answers Get, too. Errors without a status are what the kubelet returns.
type getter struct {
	lister
	enabled bool
}

func (g getter) Get(_ context.Context, request *podresources.GetPodResourcesRequest) (*podresources.GetPodResourcesResponse, error) {
	if !g.enabled {
		return nil, errors.New("PodResources API Get method disabled")
	}
	for _, pod := range g.response.PodResources {
		if pod.Name == request.PodName && pod.Namespace == request.PodNamespace {
			return &podresources.GetPodResourcesResponse{PodResources: pod}, nil
		}
	}
	return nil, fmt.Errorf("pod %s in namespace %s not found", request.PodName, request.PodNamespace)
}

func service(methods string, response *podresources.ListPodResourcesResponse) podresources.PodResourcesListerServer {
	list := lister{response: response}
	switch methods {
	case "list":
		return list
	case "get":
		return getter{list, true}
	case "get-disabled":
		return getter{list, false}
	}
	log.Fatalf("METHODS must be list, get or get-disabled, got %q", methods)
	return nil
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	response := &podresources.ListPodResourcesResponse{}
	if err := protojson.Unmarshal(text, response); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	podresources.RegisterPodResourcesListerServer(server, service(os.Args[2], response))
	fmt.Println("ready")
	log.Fatal(server.Serve(listener))
}
