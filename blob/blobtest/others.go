// SPDX-License-Identifier: Apache-2.0

//go:build gcs && azure

package blobtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
)

func others(cache string) []cloud {
	return []cloud{
		{"Google Cloud Storage", "gs://lake", func(t *testing.T) { gcs(t, filepath.Join(cache, "bin/fake-gcs-server-1.56.1")) }},
		{"Azure Blob Storage", "azblob://lake", func(t *testing.T) {
			azure(t, filepath.Join(cache, "azurite-3.37.0/node_modules/azurite/dist/src/blob/main.js"))
		}},
	}
}

// gcs starts fake-gcs-server, with the bucket lake.
func gcs(t *testing.T, program string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Skip("no server of Google Cloud Storage here: scripts/clouds.sh builds fake-gcs-server")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "lake"), 0o700); err != nil {
		t.Fatal(err)
	}
	at := free(t)
	host, port := at[:len("127.0.0.1")], at[len("127.0.0.1:"):]
	serve(t, at, program, "-scheme", "http", "-host", host, "-port", port, "-public-host", at, "-backend", "filesystem", "-filesystem-root", root)
	setenv(t, map[string]string{"STORAGE_EMULATOR_HOST": at})
}

// The account that Azurite has, whose key everybody knows.
const (
	account    = "devstoreaccount1"
	accountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azure starts Azurite, with the container lake.
func azure(t *testing.T, program string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Skip("no server of Azure Blob Storage here: scripts/clouds.sh fetches Azurite")
	}
	at := free(t)
	serve(t, at, "node", program, "--blobHost", "127.0.0.1", "--blobPort", at[len("127.0.0.1:"):], "--location", t.TempDir(), "--silent", "--disableTelemetry", "--skipApiVersionCheck")
	setenv(t, map[string]string{
		"AZURE_STORAGE_ACCOUNT": account, "AZURE_STORAGE_KEY": accountKey, "AZURE_STORAGE_DOMAIN": at, "AZURE_STORAGE_PROTOCOL": "http",
		"AZURE_STORAGE_IS_LOCAL_EMULATOR": "true",
	})
	key, err := azblob.NewSharedKeyCredential(account, accountKey)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClientWithSharedKeyCredential("http://"+at+"/"+account, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateContainer(t.Context(), "lake", nil); err != nil {
		t.Fatal(err)
	}
}
